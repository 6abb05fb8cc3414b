//! A reply, and how it is to be delivered.

use std::time::Duration;

use serde_json::Value;

use super::octets::Octets;

/// What is sent back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What it says.
    pub body: Octets,
    /// How it goes out.
    pub delivery: Delivery,
    /// Flip a bit in the middle of the body.
    pub(crate) corrupt: bool,
}

/// How a reply goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As HTTP has it.
    Whole,
    /// Reset the connection instead.
    Reset,
    /// Reset the connection after half of the body.
    ResetMidBody,
    /// One byte at a time.
    Drip(Duration),
    /// Say that the body is so much longer (shorter) than it is, then close.
    Length(i64),
    /// Without a length.
    Chunked,
}

impl Reply {
    /// Without headers of its own.
    pub fn new(status: u16, body: impl Into<Octets>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), delivery: Delivery::Whole, corrupt: false }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, value.to_string()).header("Content-Type", "application/json")
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::new(status, text.to_owned()).header("Content-Type", "text/plain; charset=utf-8")
    }

    /// 307, as registries send to their storage.
    pub(crate) fn redirect(location: String) -> Self {
        Self::new(307, Vec::new()).header("Location", location)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}
