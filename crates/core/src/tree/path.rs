//! [`RepoPath`]: a file's place in the repository, spelled the same on every system.
//!
//! Every result, report and configuration pattern names files by it; only `Repository::absolute` turns it into
//! something that can be opened.

use std::borrow::{Borrow, Cow};
use std::fmt;

use crate::printable::is_invisible;

/// Path relative to the repository root, `/` separated on every system, without `.`, `..` or empty names.
/// The root itself is the empty path and is shown as `.`. Ordered by its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    /// The root.
    pub fn root() -> RepoPath {
        RepoPath(String::new())
    }

    /// The path that `text` (such as `a/b.yaml` or `./a/../b`) means when read from the root; `None` when it leaves
    /// the root or is absolute.
    pub fn new(text: &str) -> Option<RepoPath> {
        RepoPath::root().join(text)
    }

    /// The text, empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As messages show it: [`quoted`].
    pub fn shown(&self) -> Cow<'_, str> {
        quoted(if self.is_root() { "." } else { &self.0 })
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<RepoPath> {
        if self.is_root() {
            return None;
        }
        let parent = self.0.rsplit_once('/').map_or("", |(parent, _)| parent);
        Some(RepoPath(parent.to_owned()))
    }

    /// The path that `relative` means when read from this **directory**, as in `resources:` of a kustomization:
    /// `.` and `..` are resolved by name. `None` when it leaves the root or is absolute.
    pub fn join(&self, relative: &str) -> Option<RepoPath> {
        if relative.starts_with('/') {
            return None;
        }
        let mut joined = self.0.clone();
        for name in relative.split('/') {
            match name {
                "" | "." => {}
                ".." if joined.is_empty() => return None,
                ".." => joined.truncate(joined.rfind('/').unwrap_or(0)),
                name => {
                    if !joined.is_empty() {
                        joined.push('/');
                    }
                    joined.push_str(name);
                }
            }
        }
        Some(RepoPath(joined))
    }

    /// The relative path that leads here from a directory: what [`RepoPath::join`] makes this path of there.
    pub fn seen_from(&self, directory: &RepoPath) -> String {
        let names = |path: &RepoPath| -> Vec<String> {
            path.0.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let (from, to) = (names(directory), names(self));
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
        let steps: Vec<String> = up.chain(to.into_iter().skip(shared)).collect();
        if steps.is_empty() { ".".to_owned() } else { steps.join("/") }
    }

    /// The last name; `None` for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// What follows the last dot of the last name; `None` without a dot, or when the only dot comes first
    /// (`.gitignore`).
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.file_name()?.rsplit_once('.')?;
        (!stem.is_empty()).then_some(extension)
    }

    /// Whether it is `directory` or lies anywhere below it.
    pub fn is_within(&self, directory: &RepoPath) -> bool {
        directory.is_root()
            || self
                .0
                .strip_prefix(directory.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_root() { "." } else { &self.0 })
    }
}

impl AsRef<str> for RepoPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Maps keyed by `RepoPath` can be asked with a `&str`.
impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// `text` as a word of a shell: as it is where nothing in it means anything to one, else in quotes.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    // What a terminal would act on is written as an escape: `$'a\nb'`.
    let escaped = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        c if c.is_control() => c.to_string().bytes().map(|byte| format!("\\{byte:03o}")).collect(),
        c => c.to_string(),
    };
    format!("$'{}'", text.chars().map(escaped).collect::<String>())
}

/// A path as Git shows it: one that holds control characters, quotes or backslashes is put in quotes and escaped, as `git apply`
/// reads it and no terminal acts on it.
pub fn quoted(path: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c.is_control() || is_invisible(c);
    if !path.contains(|c: char| is_hidden(c) || matches!(c, '"' | '\\')) {
        return Cow::Borrowed(path);
    }
    let mut text = String::from("\"");
    for c in path.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_hidden(c) => text.extend(c.to_string().bytes().map(|byte| format!("\\{byte:03o}"))),
            c => text.push(c),
        }
    }
    text.push('"');
    Cow::Owned(text)
}

/// [`quoted`], of a path of the system's.
pub(super) fn shown(path: &std::path::Path) -> String {
    quoted(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_a_directory() {
        let path = |text: &str| RepoPath::new(text).unwrap();
        assert_eq!(path("components/cache").seen_from(&path("clusters/prod")), "../../components/cache");
        assert_eq!(path("a/b").seen_from(&path("a")), "b");
        assert_eq!(path("a").seen_from(&RepoPath::root()), "a");
        assert_eq!(path("clusters/prod").join("../../components/cache"), Some(path("components/cache")));
    }

    #[test]
    fn join_resolves_dots_and_stays_inside() {
        let apps = RepoPath::new("clusters/eu/apps").unwrap();
        let joined = |text| apps.join(text).map(|path| path.as_str().to_owned());
        assert_eq!(joined("../base/./x.yaml").as_deref(), Some("clusters/eu/base/x.yaml"));
        assert_eq!(joined("../../..").as_deref(), Some(""));
        assert_eq!(joined("../../../.."), None);
        assert_eq!(joined("../../../../clusters"), None);
        assert_eq!(joined("/etc/passwd"), None);
        assert_eq!(joined("a//b/").as_deref(), Some("clusters/eu/apps/a/b"));
        assert_eq!(joined("").as_deref(), Some("clusters/eu/apps"));
    }

    #[test]
    fn parts() {
        let path = RepoPath::new("a/b.tar.gz").unwrap();
        assert_eq!(path.file_name(), Some("b.tar.gz"));
        assert_eq!(path.extension(), Some("gz"));
        assert_eq!(path.parent().unwrap().as_str(), "a");
        assert_eq!(path.parent().unwrap().parent(), Some(RepoPath::root()));
        assert_eq!(RepoPath::root().parent(), None);
        assert_eq!(RepoPath::root().file_name(), None);
        assert_eq!(RepoPath::new("x/.gitignore").unwrap().extension(), None);
        assert_eq!(RepoPath::new("a.b/plain").unwrap().extension(), None);
        assert_eq!(RepoPath::root().to_string(), ".");
        let within = |path: &str, directory: &str| {
            RepoPath::new(path).unwrap().is_within(&RepoPath::new(directory).unwrap())
        };
        assert!(within("a/b", "a") && within("a", "a") && within("a", ""));
        assert!(!within("ab", "a") && !within("a", "a/b"));
    }

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, word) in [
            ("a/b-1.yaml", "a/b-1.yaml"),
            ("", "''"),
            ("a b,c:%", "'a b,c:%'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("a\nb'\x1b[0m", r"$'a\nb\'\033[0m'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
