//! Where updaters look for their configuration.

use std::path::PathBuf;

use crate::tree::Repository;

/// Configurations of Renovate and Dependabot; a walk passes over those in hidden places.
pub(super) const RENOVATE: &[&str] = &[
    "renovate.json",
    "renovate.jsonc",
    "renovate.json5",
    ".github/renovate.json",
    ".github/renovate.jsonc",
    ".github/renovate.json5",
    ".gitlab/renovate.json",
    ".gitlab/renovate.jsonc",
    ".gitlab/renovate.json5",
    ".gitea/renovate.json",
    ".gitea/renovate.json5",
    ".forgejo/renovate.json",
    ".forgejo/renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    ".renovaterc.jsonc",
    ".renovaterc.json5",
    ".renovate.json",
];

pub(super) const DEPENDABOT: &[&str] = &[".github/dependabot.yml", ".github/dependabot.yaml"];

/// Those of them that are there and that a walk passes over.
pub(super) fn hidden_updaters(repository: &Repository) -> Vec<PathBuf> {
    let hidden = RENOVATE.iter().chain(DEPENDABOT).filter(|name| name.starts_with('.'));
    hidden.map(|name| repository.root.join(name)).filter(|path| path.is_file()).collect()
}
