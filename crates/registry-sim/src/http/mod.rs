//! HTTP/1.1 as far as registries and the ECR API need it: requests with a `Content-Length`, kept connections, replies
//! that can be broken on purpose.

mod connection;
mod octets;
mod reply;
mod request;

pub(crate) use connection::serve;
pub use octets::Octets;
pub use reply::{Delivery, Reply};
pub use request::Request;
