//! Identifiers for what has free names: valid where they are used, unique among their kind, the same every time.

use std::collections::{BTreeMap, BTreeSet};

/// How identifiers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Case {
    /// `ghcr.io/my-org` becomes `ghcr_io_my_org`, as Terraform and variables of a shell have them.
    Snake,
    /// `ghcr.io/my-org` becomes `GhcrIoMyOrg`, as CloudFormation has them.
    Pascal,
    /// `ghcr.io/my-org` becomes `ghcr-io-my-org`, a name of Kubernetes.
    Kebab,
}

impl Case {
    fn join(self, words: &[String]) -> String {
        match self {
            Case::Snake => {
                let joined = words.join("_").to_ascii_lowercase();
                // An identifier of HCL does not begin with a digit.
                if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("_{joined}") } else { joined }
            }
            Case::Pascal => {
                let capital = |word: &String| {
                    let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                    first.to_ascii_uppercase() + rest
                };
                words.iter().map(capital).collect()
            }
            Case::Kebab => words.join("-").to_ascii_lowercase(),
        }
    }
}

/// Identifiers by name.
pub(crate) struct Names {
    case: Case,
    by_name: BTreeMap<String, String>,
}

impl Names {
    /// Of names that come to the same identifier, all but the first (as they sort) get a hash of their own, so that they
    /// keep it whatever else is there.
    pub(crate) fn new<'a>(case: Case, names: impl Iterator<Item = &'a str>) -> Names {
        let names: BTreeSet<&str> = names.collect();
        let mut taken = BTreeSet::new();
        let mut by_name = BTreeMap::new();
        for name in names {
            let mut words = words(name);
            // Compared without case: CloudFormation distinguishes it, people do not.
            if !taken.insert(case.join(&words).to_ascii_lowercase()) {
                words.push(format!("x{:08x}", hash(name)));
                taken.insert(case.join(&words).to_ascii_lowercase());
            }
            by_name.insert(name.to_owned(), case.join(&words));
        }
        Names { case, by_name }
    }

    /// The identifier of a name. One that is not among these is written in the same way, so that what reads it says that there is
    /// nothing of this name.
    pub(crate) fn of(&self, name: &str) -> String {
        self.by_name.get(name).cloned().unwrap_or_else(|| self.case.join(&words(name)))
    }
}

/// The letters and digits of a name, parted where others stand; `ROOT` is written like the others.
fn words(name: &str) -> Vec<String> {
    let name = if name == "ROOT" { "root" } else { name };
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    if words.is_empty() { vec!["unnamed".to_owned()] } else { words }
}

/// FNV-1a, 32 bits.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        let names = ["ghcr", "ghcr.io/my-org", "docker-hub", "ROOT", "3rd", "team/App"];
        let snake = Names::new(Case::Snake, names.into_iter());
        let found: Vec<String> = names.iter().map(|name| snake.of(name)).collect();
        assert_eq!(found, ["ghcr", "ghcr_io_my_org", "docker_hub", "root", "_3rd", "team_app"]);
        let pascal = Names::new(Case::Pascal, names.into_iter());
        let found: Vec<String> = names.iter().map(|name| pascal.of(name)).collect();
        assert_eq!(found, ["Ghcr", "GhcrIoMyOrg", "DockerHub", "Root", "3rd", "TeamApp"]);
        let kebab = Names::new(Case::Kebab, names.into_iter());
        let found: Vec<String> = names.iter().map(|name| kebab.of(name)).collect();
        assert_eq!(found, ["ghcr", "ghcr-io-my-org", "docker-hub", "root", "3rd", "team-app"]);
    }

    #[test]
    fn names_that_come_to_the_same_are_distinguished_for_good() {
        let few = Names::new(Case::Snake, ["a-b", "a.b"].into_iter());
        let more = Names::new(Case::Snake, ["a/b", "a.b", "a-b", "a_b", "root", "ROOT"].into_iter());
        assert_eq!((few.of("a-b"), few.of("a.b")), ("a_b".to_owned(), more.of("a.b")));
        let all: BTreeSet<&String> = more.by_name.values().collect();
        assert_eq!(all.len(), 6);
        assert_eq!(more.of("c/D"), "c_d");
    }
}
