//! The way from a VPC to the registry: endpoints for ECR's API, its registry, and S3, where layers are.
//!
//! EC2 is asked for one thing only, so its SDK, the largest of all, is not built in: the request is made here, in the
//! Query protocol (Amazon EC2 API reference, `DescribeVpcEndpoints`), and signed by the SDK's own signer.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

use super::{Doctor, Step, StepId};
use crate::account::settle::settled;
use crate::account::{AwsFailure, FailureKind};

const ACTION: &str = "ec2:DescribeVpcEndpoints";
const VERSION: &str = "2016-11-15";

/// Codes after which it is asked again, and for how long.
const PASSING: [&str; 5] =
    ["RequestLimitExceeded", "Throttling", "ServiceUnavailable", "Unavailable", "InternalError"];
const PATIENCE: Duration = Duration::from_secs(10);

/// An endpoint, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Endpoint {
    service: String,
    state: String,
    kind: String,
    private_dns: bool,
}

impl Doctor<'_> {
    /// The steps of `--vpc`.
    pub(super) async fn vpc(&self) -> Vec<Step> {
        let id = StepId::VpcEndpoints;
        let Some(vpc) = &self.question.vpc else { return Vec::new() };
        let found = self.endpoints(vpc).await;
        let step = match &found {
            Ok(found) => judged(id, found, self.session.registry.region.as_str()),
            Err(failure) => id.unseen(failure),
        };
        vec![step.about(vpc)]
    }

    async fn endpoints(&self, vpc: &str) -> Result<Vec<Endpoint>, AwsFailure> {
        let (mut found, mut token) = (Vec::new(), None::<String>);
        // A VPC has 50 of them at most by default (Amazon VPC quotas); a page holds 1000.
        for _ in 0..10 {
            let mut fields = vec![
                ("Action", "DescribeVpcEndpoints"),
                ("Version", VERSION),
                ("Filter.1.Name", "vpc-id"),
                ("Filter.1.Value.1", vpc),
            ];
            fields.extend(token.as_deref().map(|token| ("NextToken", token)));
            let answer = settled(PATIENCE, &PASSING, || self.ask(&fields)).await?;
            let (page, next) = read(&answer).ok_or_else(|| AwsFailure::incomplete(ACTION))?;
            found.extend(page);
            token = next.filter(|next| !next.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> Result<String, AwsFailure> {
        let failed = |kind, message: String| AwsFailure { action: ACTION, kind, code: None, message };
        let network = |error: reqwest::Error| {
            failed(FailureKind::Network, format!("no connection to AWS: {}", error.without_url()))
        };
        let odd = || AwsFailure::incomplete(ACTION);
        let body = reqwest::Url::parse_with_params("http://form.invalid/", fields).map_err(|_| odd())?;
        let body = body.query().unwrap_or_default().to_owned();
        let url = self.endpoint();
        let host = reqwest::Url::parse(&url).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
        });
        let host =
            host.ok_or_else(|| failed(FailureKind::Network, format!("`{url}` is no address of EC2")))?;
        let provider = self.session.config.credentials_provider();
        let no_login = || failed(FailureKind::Credentials, "there are no AWS credentials".to_owned());
        let provider = provider.ok_or_else(no_login)?;
        let identity = provider.provide_credentials().await.map_err(|_| no_login())?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.session.registry.region.as_str())
            .name("ec2")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| odd())?
            .into();
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = [("host", host.as_str()), ("content-type", form)];
        let request =
            SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let signed = sign(request.map_err(|_| odd())?, &params).map_err(|_| odd())?;
        let client = self.http().map_err(network)?;
        let mut post = client.post(&url).header("content-type", form).body(body);
        for (name, value) in signed.output().headers() {
            let mut value = reqwest::header::HeaderValue::from_str(value).map_err(|_| odd())?;
            value.set_sensitive(true);
            post = post.header(name, value);
        }
        let answer = post.send().await.map_err(network)?;
        let is_fine = answer.status().is_success();
        let text = answer.text().await.map_err(network)?;
        if is_fine { Ok(text) } else { Err(refused(&text)) }
    }

    /// `AWS_ENDPOINT_URL_EC2`, `--endpoint-url` or `AWS_ENDPOINT_URL`, as the SDK has them; else the Region's own.
    fn endpoint(&self) -> String {
        let own = std::env::var("AWS_ENDPOINT_URL_EC2").ok().filter(|url| !url.is_empty());
        let moved = own.or_else(|| self.session.config.endpoint_url().map(str::to_owned));
        let url = moved.unwrap_or_else(|| {
            let region = &self.session.registry.region;
            format!("https://ec2.{region}.{}", region.partition().suffix())
        });
        format!("{}/", url.trim_end_matches('/'))
    }

    fn http(&self) -> Result<reqwest::Client, reqwest::Error> {
        // Whoever came first has installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = &self.question.registries;
        let pem = settings.ca_file.as_ref().and_then(|path| std::fs::read(path).ok());
        let roots = pem.and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).ok()).unwrap_or_default();
        reqwest::Client::builder()
            .connect_timeout(settings.timeouts.connect)
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge(roots)
            .build()
    }
}

/// What AWS says no with: `<Response><Errors><Error><Code>…`.
fn refused(text: &str) -> AwsFailure {
    let mut document = Document::new(text);
    let error = document.root_element().ok().and_then(|mut root| {
        let mut found = None;
        while let Some(mut errors) = root.next_tag() {
            while let Some(error) = errors.next_tag() {
                found = found.or_else(|| Some(texts(error)));
            }
        }
        found
    });
    let Some(mut error) = error else { return AwsFailure::incomplete(ACTION) };
    let mut take = |name: &str| error.remove(name).unwrap_or_default();
    AwsFailure::by_code(ACTION, take("Code"), take("Message"))
}

/// The endpoints of a page, and the token of the next; `None` for what is no answer.
fn read(text: &str) -> Option<(Vec<Endpoint>, Option<String>)> {
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    if root.start_el().local() != "DescribeVpcEndpointsResponse" {
        return None;
    }
    let (mut found, mut next) = (Vec::new(), None);
    while let Some(mut tag) = root.next_tag() {
        match tag.start_el().local() {
            "vpcEndpointSet" => {
                while let Some(item) = tag.next_tag() {
                    let mut item = texts(item);
                    let mut take = |name: &str| item.remove(name).unwrap_or_default();
                    found.push(Endpoint {
                        service: take("serviceName"),
                        state: take("state"),
                        kind: take("vpcEndpointType"),
                        private_dns: take("privateDnsEnabled") == "true",
                    });
                }
            }
            "nextToken" => next = try_data(&mut tag).ok().map(String::from),
            _ => {}
        }
    }
    Some((found, next))
}

/// The members of an element that are text.
fn texts(mut element: ScopedDecoder<'_, '_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some(mut member) = element.next_tag() {
        let name = member.start_el().local().to_owned();
        // A member with members of its own is of no interest.
        if let Ok(text) = try_data(&mut member) {
            found.insert(name, text.into_owned());
        }
    }
    found
}

fn judged(id: StepId, found: &[Endpoint], region: &str) -> Step {
    // In China names begin with the partition's domain (Amazon VPC user guide, "AWS services that integrate").
    let of = |service: &str| {
        let end = format!(".{region}.{service}");
        found.iter().find(|endpoint| {
            endpoint.service.ends_with(&end) && endpoint.state.eq_ignore_ascii_case("available")
        })
    };
    let services = ["ecr.api", "ecr.dkr", "s3"];
    let missing: Vec<String> = services
        .iter()
        .filter(|service| of(service).is_none())
        .map(|service| (*service).to_owned())
        .collect();
    let list = super::account::list;
    if missing.is_empty() {
        let unnamed: Vec<String> = ["ecr.api", "ecr.dkr"]
            .iter()
            .filter(|service| {
                of(service).is_some_and(|endpoint| !endpoint.private_dns && endpoint.kind == "Interface")
            })
            .map(|service| (*service).to_owned())
            .collect();
        if !unnamed.is_empty() {
            return id
                .failed(format!(
                    "the endpoints of {} have no private DNS: nodes go past them",
                    list(&unnamed)
                ))
                .help("`aws ec2 modify-vpc-endpoint --private-dns-enabled --vpc-endpoint-id …`");
        }
        return id.passed("`ecr.api`, `ecr.dkr` and `s3` are available; their security groups and policies are not looked at");
    }
    let create = format!(
        "make them: `aws ec2 create-vpc-endpoint --service-name com.amazonaws.{region}.…`; layers come from the bucket \
         `prod-{region}-starport-layer-bucket` of S3"
    );
    // A VPC that has ECR's endpoints is one whose nodes are to need no other way.
    if of("ecr.api").is_some() || of("ecr.dkr").is_some() {
        id.failed(format!(
            "{} missing: nodes without a NAT gateway cannot pull, cached or not",
            are(&missing)
        ))
        .help(create)
    } else {
        id.warning(format!("{} missing: every pull goes by a NAT or internet gateway", are(&missing)))
            .help(create)
    }
}

fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", super::account::list(names))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn endpoint(service: &str) -> Endpoint {
        Endpoint {
            service: format!("com.amazonaws.eu-central-1.{service}"),
            state: "available".to_owned(),
            kind: if service == "s3" { "Gateway" } else { "Interface" }.to_owned(),
            private_dns: service != "s3",
        }
    }

    #[test]
    fn answers_of_ec2() {
        let text = r#"<?xml version="1.0"?>
            <DescribeVpcEndpointsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>
            <vpcEndpointSet><item><groupSet><item><groupId>sg-1</groupId></item></groupSet><serviceName>com.amazonaws.eu-central-1.s3</serviceName>
            <state>available</state><vpcEndpointType>Gateway</vpcEndpointType><privateDnsEnabled>false</privateDnsEnabled></item></vpcEndpointSet>
            <nextToken>a&amp;b</nextToken></DescribeVpcEndpointsResponse>"#;
        assert_eq!(read(text), Some((vec![endpoint("s3")], Some("a&b".to_owned()))));
        assert_eq!(read("<html>"), None);
        assert_eq!(read("nonsense"), None);
        let denied = refused(
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized</Message></Error></Errors></Response>",
        );
        assert_eq!((denied.kind, denied.message.as_str()), (FailureKind::Denied, "You are not authorized"));
        assert_eq!(refused("gateway").kind, FailureKind::Unreadable);
    }

    #[test]
    fn which_endpoints_make_the_way() {
        let judge = |services: &[&str]| {
            let found: Vec<Endpoint> = services.iter().map(|service| endpoint(service)).collect();
            judged(StepId::VpcEndpoints, &found, "eu-central-1").outcome
        };
        assert_eq!(judge(&["ecr.api", "ecr.dkr", "s3"]), Outcome::Passed);
        assert_eq!(judge(&["ecr.api", "ecr.dkr"]), Outcome::Failed);
        assert_eq!(judge(&["s3"]), Outcome::Warning);
        assert_eq!(judge(&[]), Outcome::Warning);
        let mut pending = vec![endpoint("ecr.api"), endpoint("ecr.dkr"), endpoint("s3")];
        pending[0].private_dns = false;
        assert_eq!(judged(StepId::VpcEndpoints, &pending, "eu-central-1").outcome, Outcome::Failed);
        pending[0].state = "pending".to_owned();
        assert_eq!(judged(StepId::VpcEndpoints, &pending, "eu-central-1").outcome, Outcome::Failed);
    }
}
