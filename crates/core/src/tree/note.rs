//! What the walk could not see whole, and why.

use std::fmt;

use super::path::RepoPath;

/// Why a file was not shown to the visitor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// Holds a NUL byte (in its first 64 KiB, or anywhere if it is not too large): an image, an archive, UTF-16 text.
    Binary,
    /// Larger than [`WalkOptions::max_size`]; `search_large` can look into it.
    TooLarge {
        /// Bytes.
        len: u64,
    },
    /// Could not be opened or read, or does not exist; with the system's words.
    Unreadable(String),
    /// A link to another place of the repository, which is read under its own path if the walk reaches it.
    Link {
        /// What it points at.
        to: RepoPath,
    },
    /// A link that leaves the repository; not followed.
    LinkOutside,
    /// A link that points at nothing or at itself; with the system's words.
    LinkBroken(String),
    /// A named path that lies outside the repository.
    Outside,
    /// A pipe, a socket or a device; not opened.
    Special,
    /// The name is not UTF-8.
    NameNotUtf8,
    /// A manifest in UTF-16, by its byte order mark: kustomize reads it.
    Utf16,
    /// A kustomization on top of a chain that is not followed to its end.
    TooDeep,
}

impl Note {
    /// Whether what was asked for could not be done (exit code 3), unlike files that hold nothing to look for.
    pub fn is_failure(&self) -> bool {
        matches!(self, Note::Unreadable(_) | Note::Outside | Note::NameNotUtf8 | Note::Utf16 | Note::TooDeep)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Binary => f.write_str("binary file"),
            Note::TooLarge { len } => write!(f, "too large to be read whole ({len} bytes)"),
            Note::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Note::Link { to } => write!(f, "link to `{to}`, which is read under its own path"),
            Note::LinkOutside => f.write_str("link that leaves the repository; not followed"),
            Note::LinkBroken(reason) => write!(f, "link that leads nowhere: {reason}"),
            Note::Outside => f.write_str("outside the repository"),
            Note::Special => f.write_str("pipe, socket or device; not opened"),
            Note::NameNotUtf8 => f.write_str("name is not UTF-8"),
            Note::Utf16 => f.write_str(
                "UTF-16, which kustomize reads and pullthru does not: convert it (`iconv -f UTF-16 -t UTF-8`), or ignore it",
            ),
            Note::TooDeep => f.write_str(
                "more than 200 kustomizations build on each other: those further down are not followed; shorten the chain",
            ),
        }
    }
}
