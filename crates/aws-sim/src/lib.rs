//! The AWS control plane that `pullthru` calls, on loopback: ECR, Secrets Manager, STS and IAM. For tests
//! only.
//!
//! [`AwsSim::start`] serves the real AWS SDKs through `AWS_ENDPOINT_URL`. Signatures are not checked; the Region and
//! the service come from them. State is kept by account and Region.
//!
//! ```
//! use aws_sim::{AwsSim, Fault, On, Settings};
//! use serde_json::json;
//!
//! let aws = AwsSim::start(Settings::default()).unwrap();
//!
//! // A world that exists already: any operation, called past faults and log.
//! let secret = aws.call("secretsmanager:CreateSecret", json!({
//!     "Name": "ecr-pullthroughcache/ghcr",
//!     "SecretString": r#"{"username":"octocat","accessToken":"ghp_1"}"#,
//! })).unwrap();
//! aws.set_logins("ghcr.io", &[("octocat", "ghp_1")]);
//!
//! // What goes wrong: the first two calls are throttled, one read is not allowed, credentials end after ten calls.
//! aws.faults().add(On::action("ecr:CreatePullThroughCacheRule").times(2), Fault::Throttle);
//! aws.faults().deny("ecr:GetRegistryPolicy");
//! aws.faults().add(On::any().skip(10), Fault::Expired);
//! // A new secret is not seen by the next two reads.
//! aws.delay("secret", 2);
//!
//! // Run the program (or `aws_config` in this process) with `aws.environment()`, then look:
//! assert_eq!(aws.actions(), Vec::<String>::new()); // `ecr:CreatePullThroughCacheRule`, …
//! assert_eq!(aws.here()["secrets"]["ecr-pullthroughcache/ghcr"]["Name"], "ecr-pullthroughcache/ghcr");
//! ```
//!
//! Faithful where it counts: every request is checked against the service model (required members, lengths, patterns,
//! enums) and refused in AWS's words; an answer that the model has no room for, or an error that the operation does
//! not declare, is answered with 501 `SimulationFault`, so that the simulation cannot invent any. Behaviours name
//! their source beside them; what no source settles is one of [`Settings`], or says so.
#![allow(
    clippy::indexing_slicing,
    reason = "`Value` answers null where there is nothing; all other lookups use `get`"
)]

mod call;
mod ecr;
mod error;
mod fault;
mod form;
mod iam;
mod model;
mod policy;
mod secrets;
mod sim;
mod sts;
mod world;
mod xml;

pub use fault::{Fault, Faults, On};
pub use model::actions;
pub use sim::{AwsSim, Request, Settings};
