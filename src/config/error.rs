//! What can be wrong with a configuration: [`Fault`] says what, [`ConfigError`] where, [`ConfigErrors`] is all of it.
//!
//! Nothing here stops at the first problem: [`Problems`] collects them while the file is read and checked.

use std::cell::RefCell;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource, SourceSpan};

use crate::route::{EcrError, PrefixError, RoutesError, upstreams};

/// Where a text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Bytes of the file.
    Bytes(usize, usize),
    /// A flag of the command line.
    Flag(&'static str),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file is not YAML.
    #[error("the file is not valid YAML: {message}")]
    Yaml { message: String },
    /// A second `---`.
    #[error("the file has more than one YAML document")]
    Documents,
    /// A key that means nothing. `place` is the dotted path of the mapping, empty at the top.
    #[error("unknown key `{key}`{}", within(place))]
    UnknownKey { key: String, place: String, suggestion: Option<&'static str>, known: Vec<&'static str> },
    /// The same key twice in one mapping.
    #[error("the key `{key}` stands twice{}", within(place))]
    DuplicateKey { key: String, place: String },
    /// A list where a text belongs, and the like.
    #[error("`{key}` is {found} where {expected} belongs")]
    Kind { key: String, expected: &'static str, found: &'static str },
    /// A text that is none of a few.
    #[error("`{text}` is not a value of `{key}`")]
    Choice { key: String, text: String, choices: String, suggestion: Option<&'static str> },
    /// Another text that does not have its form.
    #[error("`{text}` is not a value of `{key}`: {reason}")]
    Form { key: &'static str, text: String, reason: &'static str },
    /// An account, a Region or a registry host.
    #[error(transparent)]
    Ecr(#[from] EcrError),
    /// A Region where there is nothing to migrate to.
    #[error("`{region}` cannot hold the cache: {reason}")]
    NoPullThrough { region: String, reason: &'static str },
    /// An endpoint that the Region does not have.
    #[error("`{region}` has no dual-stack endpoint")]
    NoDualStack { region: String },
    /// `host` beside `account` or `region`.
    #[error("the registry is given twice: as `host` and as `account` and `region`")]
    HostAndAccount,
    /// `fips` or `dual-stack` beside `host`.
    #[error("`{key}` does not go with `host`")]
    EndpointOfHost { key: &'static str },
    /// One of account and Region.
    #[error("the registry has `{has}` but no `{lacks}`")]
    HalfRegistry { has: &'static str, lacks: &'static str },
    /// An upstream that ECR does not take, and why.
    #[error("`{host}` cannot be cached: {reason}")]
    NotCacheable { host: String, reason: &'static str },
    /// An upstream that is in no catalogue.
    #[error("`{host}` is no registry that ECR pull through cache knows")]
    UnknownUpstream { host: String, suggestion: Option<&'static str> },
    /// An upstream whose name makes no prefix.
    #[error("`{host}` has no default prefix")]
    NoPrefix { host: String },
    /// A prefix that ECR does not take.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// Routes that do not go together.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// A pattern of `include`, `exclude`, `ignore` or `paths`.
    #[error("`{pattern}` is not a pattern: {reason}")]
    Pattern { pattern: String, reason: String },
    /// A target that is for no path.
    #[error("the target has no `paths`")]
    TargetPaths,
    /// A target that leads nowhere.
    #[error("the target has no `registry`")]
    TargetRegistry,
    /// Two targets of one name.
    #[error("two targets are called `{name}`")]
    TargetName { name: String },
    /// Patterns of two targets that both claim a path with equal right.
    #[error("`{second}` and `{first}` of another target can match the same path")]
    Overlap { first: String, second: String },
}

fn within(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" in `{place}`") }
}

impl Fault {
    /// What to do about it.
    fn help(&self) -> String {
        let did_you_mean = |suggestion: &Option<&str>, otherwise: String| match suggestion {
            Some(suggestion) => format!("did you mean `{suggestion}`? {otherwise}"),
            None => otherwise,
        };
        match self {
            Self::Yaml { .. } => "mend the YAML here; texts with `*`, `{` or `: ` in them need quotes".to_owned(),
            Self::Documents => "keep one of them: `targets` tells clusters apart".to_owned(),
            Self::UnknownKey { suggestion, known, .. } => {
                did_you_mean(suggestion, format!("known here: {}", quoted(known)))
            }
            Self::DuplicateKey { .. } => "keep one of them".to_owned(),
            Self::Kind { expected, .. } => format!("write {expected}"),
            Self::Choice { choices, suggestion, .. } => did_you_mean(suggestion, format!("write one of {choices}")),
            Self::Form { .. } => "write it in that form".to_owned(),
            Self::Ecr(EcrError::Account { .. }) => {
                "`aws sts get-caller-identity` prints the account; keep it in quotes".to_owned()
            }
            Self::Ecr(EcrError::Region { .. }) => "`aws configure get region` prints your default".to_owned(),
            Self::Ecr(_) => "write the registry's host, or `account` and `region` instead".to_owned(),
            Self::NoPullThrough { .. } => "choose another Region for the cache".to_owned(),
            Self::NoDualStack { .. } => "remove `dual-stack`".to_owned(),
            Self::HostAndAccount => "keep one of the two".to_owned(),
            Self::EndpointOfHost { .. } => "remove it, and write the endpoint as `host`".to_owned(),
            Self::HalfRegistry { lacks, .. } => format!("add `{lacks}`, here or as `--{lacks}`"),
            Self::NotCacheable { .. } => "remove it: its images stay where they are".to_owned(),
            Self::UnknownUpstream { suggestion, .. } => {
                let hosts: Vec<&str> = upstreams().iter().map(|upstream| upstream.host).collect();
                did_you_mean(suggestion, format!("ECR caches {}", quoted(&hosts)))
            }
            Self::NoPrefix { .. } => "give it a prefix, such as `my-registry`".to_owned(),
            Self::Prefix(_) => "write the prefix of the rule, such as `ghcr`".to_owned(),
            Self::Routes(RoutesError::CacheItself { .. }) => "remove the upstream: it is the cache".to_owned(),
            Self::Routes(RoutesError::SameUpstream { .. }) => "a second route needs `upstream-prefix`".to_owned(),
            Self::Routes(_) => "give each upstream a prefix of its own, as its rule in ECR has".to_owned(),
            Self::Pattern { .. } => "`*` stays within a name, `**` crosses `/`; quote patterns".to_owned(),
            Self::TargetPaths => "add `paths`, such as `[\"clusters/prod/**\"]`".to_owned(),
            Self::TargetRegistry => "add `registry` with `account` and `region`, or `host`".to_owned(),
            Self::TargetName { .. } => "rename one of them".to_owned(),
            Self::Overlap { .. } => {
                "make one of them longer before its first `*`: the pattern with the longest beginning wins".to_owned()
            }
        }
    }

    /// What stands under the marked text; `other` names the place that it is at odds with.
    fn labels(&self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownKey { .. } => ("unknown", ""),
            Self::DuplicateKey { .. } => ("again", "first here"),
            Self::HostAndAccount => ("and here", "here"),
            Self::Overlap { .. } | Self::TargetName { .. } | Self::Routes(_) => ("this one", "the other one"),
            _ => ("here", ""),
        }
    }
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// One problem, with its place in the file or the flag it came from.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{}{fault}", flag.map(|flag| format!("`{flag}`: ")).unwrap_or_default())]
pub struct ConfigError {
    /// What is wrong.
    pub fault: Fault,
    /// The flag at fault; `None` when it is the file.
    pub flag: Option<&'static str>,
    #[help]
    help: String,
    #[source_code]
    source_code: Option<NamedSource<Arc<str>>>,
    #[label(collection)]
    labels: Vec<LabeledSpan>,
}

impl ConfigError {
    /// The bytes of the file that are at fault.
    pub fn span(&self) -> Option<SourceSpan> {
        self.labels.first().map(|label| *label.inner())
    }
}

/// Everything that is wrong with a configuration, in the order of the file, flags last.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{}", self.summary())]
pub struct ConfigErrors {
    /// At least one.
    #[related]
    pub errors: Vec<ConfigError>,
    name: String,
}

impl ConfigErrors {
    fn summary(&self) -> String {
        let by_flags = self.errors.iter().all(|error| error.flag.is_some());
        let subject = if by_flags { "the command line".to_owned() } else { format!("`{}`", self.name) };
        match self.errors.len() {
            1 => format!("{subject} has a problem"),
            count => format!("{subject} has {count} problems"),
        }
    }
}

/// Collects what is wrong while a file is read.
pub(super) struct Problems {
    name: String,
    text: Arc<str>,
    found: RefCell<Vec<ConfigError>>,
}

impl Problems {
    pub(super) fn new(name: String, text: String) -> Problems {
        Problems { name, text: text.into(), found: RefCell::default() }
    }

    /// The file's text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Notes a fault.
    pub(super) fn add(&self, at: &At, fault: impl Into<Fault>) {
        self.add_pair(at, None, fault);
    }

    /// Notes a fault that a second place has part in.
    pub(super) fn add_pair(&self, at: &At, other: Option<&At>, fault: impl Into<Fault>) {
        let fault = fault.into();
        let (here, there) = fault.labels();
        let mut labels = Vec::new();
        for (at, label) in [(Some(at), here), (other, there)] {
            if let Some(At::Bytes(start, end)) = at {
                labels.push(LabeledSpan::new(Some(label.to_owned()), *start, end.saturating_sub(*start)));
            }
        }
        let flag = match at {
            At::Flag(flag) => Some(*flag),
            At::Bytes(..) => None,
        };
        let source_code = (!labels.is_empty())
            .then(|| NamedSource::new(&self.name, Arc::clone(&self.text)).with_language("yaml"));
        let help = fault.help();
        self.found.borrow_mut().push(ConfigError { fault, flag, help, source_code, labels });
    }

    /// What was found.
    ///
    /// # Errors
    /// When anything was.
    pub(super) fn finish(self) -> Result<(), ConfigErrors> {
        let mut errors = self.found.into_inner();
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by_key(|error| (error.flag.is_some(), error.span().map(|span| span.offset())));
        Err(ConfigErrors { errors, name: self.name })
    }
}

/// The known name that `text` was most likely meant to be.
pub(super) fn suggest(text: &str, known: &[&'static str]) -> Option<&'static str> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    known
        .iter()
        .map(|name| (distance(&text, name), *name))
        .filter(|(distance, name)| *distance <= name.len().max(text.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// How many letters to insert, remove or replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut next = vec![index + 1];
        let mut left = index + 1;
        for (above, (other, diagonal)) in row.iter().skip(1).zip(to.iter().zip(&row)) {
            left = (diagonal + usize::from(letter != *other)).min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("acount", "account", 1)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["account", "region", "host", "dual-stack"];
        for (text, expected) in [
            ("acount", Some("account")),
            ("Region", Some("region")),
            ("dual_stack", Some("dual-stack")),
            ("hots", None),
            ("zone", None),
        ] {
            assert_eq!(suggest(text, &known), expected, "{text}");
        }
    }
}
