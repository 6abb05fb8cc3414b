//! Identifiers for what has free names: valid where they are used, unique among their kind, the same every time.

use std::collections::{BTreeMap, BTreeSet};

/// Identifiers by name.
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// `ghcr.io/my-org` becomes `ghcr_io_my_org`.
    pub(crate) fn snake<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        Names::unique(names, |words| {
            let joined = words.join("_").to_ascii_lowercase();
            // An identifier of HCL does not begin with a digit.
            if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("_{joined}") } else { joined }
        })
    }

    /// `ghcr.io/my-org` becomes `GhcrIoMyOrg`.
    pub(crate) fn pascal<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        Names::unique(names, |words| {
            let capital = |word: &String| {
                let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                first.to_ascii_uppercase() + rest
            };
            words.iter().map(capital).collect()
        })
    }

    /// `ghcr.io/my-org` becomes `ghcr-io-my-org`, a name of Kubernetes.
    pub(crate) fn kebab<'a>(names: impl Iterator<Item = &'a str>) -> Names {
        Names::unique(names, |words| words.join("-").to_ascii_lowercase())
    }

    pub(crate) fn of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Of names that come to the same identifier, all but the first (as they sort) get a hash of their own, so that they
    /// keep it whatever else is there.
    fn unique<'a>(names: impl Iterator<Item = &'a str>, join: impl Fn(&[String]) -> String) -> Names {
        let names: BTreeSet<&str> = names.collect();
        let mut taken = BTreeSet::new();
        let mut by_name = BTreeMap::new();
        for name in names {
            let mut words = words(name);
            // Compared without case: CloudFormation distinguishes it, people do not.
            if !taken.insert(join(&words).to_ascii_lowercase()) {
                words.push(format!("x{:08x}", hash(name)));
                taken.insert(join(&words).to_ascii_lowercase());
            }
            by_name.insert(name.to_owned(), join(&words));
        }
        Names(by_name)
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
        let snake = Names::snake(names.into_iter());
        let found: Vec<String> = names.iter().map(|name| snake.of(name)).collect();
        assert_eq!(found, ["ghcr", "ghcr_io_my_org", "docker_hub", "root", "_3rd", "team_app"]);
        let pascal = Names::pascal(names.into_iter());
        let found: Vec<String> = names.iter().map(|name| pascal.of(name)).collect();
        assert_eq!(found, ["Ghcr", "GhcrIoMyOrg", "DockerHub", "Root", "3rd", "TeamApp"]);
        let kebab = Names::kebab(names.into_iter());
        let found: Vec<String> = names.iter().map(|name| kebab.of(name)).collect();
        assert_eq!(found, ["ghcr", "ghcr-io-my-org", "docker-hub", "root", "3rd", "team-app"]);
    }

    #[test]
    fn what_comes_to_the_same_is_told_apart_for_good() {
        let few = Names::snake(["a-b", "a.b"].into_iter());
        let more = Names::snake(["a/b", "a.b", "a-b", "a_b", "root", "ROOT"].into_iter());
        assert_eq!((few.of("a-b"), few.of("a.b")), ("a_b".to_owned(), more.of("a.b")));
        let all: BTreeSet<&String> = more.0.values().collect();
        assert_eq!(all.len(), 6);
    }
}
