//! Plans the migration and proves it file by file.
//!
//! [`plan()`] is pure: inventory and configuration in, [`Plan`] out, with a reason for everything that stays.
//! [`prepare`] reads the planned files, applies the edits and accepts the result only when it reads back as
//! planned; [`Prepared::write`] is the only step that changes a file.

mod apply;
mod graph;
mod inline;
mod pair;

use serde::Serialize;

pub use apply::{PrepareError, Prepared, Proved, edited, prepare, prove};
pub use graph::Graph;
pub use inline::plan;

use crate::find::{Obstacle, Site};
use crate::tree::{Position, RepoPath};
use crate::yaml::Edit;

/// Which way the references are rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToCache,
    /// Cached references back to their upstreams.
    ToUpstream,
}

/// What is to be done, by file.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub files: Vec<FilePlan>,
    pub left: Vec<Left>,
    pub warnings: Vec<Warning>,
}

impl Plan {
    pub fn changes(&self) -> impl Iterator<Item = (&FilePlan, &Change)> {
        self.files.iter().flat_map(|file| file.changes.iter().map(move |change| (file, change)))
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// The changes of one file.
#[derive(Clone, Debug)]
pub struct FilePlan {
    pub path: RepoPath,
    pub changes: Vec<Change>,
    /// References that the edited file must read back as, in order: changed and unchanged ones.
    pub(crate) expected: Vec<String>,
}

/// One site that moves.
#[derive(Clone, Debug)]
pub struct Change {
    pub site: Site,
    pub position: Position,
    /// The reference afterwards, composed as a node would pull it.
    pub to: String,
    pub edits: Vec<Edit>,
}

/// One site that stays, and why.
#[derive(Clone, Debug)]
pub struct Left {
    pub path: RepoPath,
    pub position: Position,
    pub site: Site,
    pub why: Why,
}

/// Why a site stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A fact about the place.
    Obstacle(Obstacle),
    /// `include` or `exclude` of the configuration.
    Excluded,
    /// It names the cache already.
    Cached,
    /// It names another ECR registry or prefix than the target's.
    OtherCache,
    /// On the way back: it names its upstream already.
    Upstream,
    /// No registry is configured for this path.
    NoTarget,
    /// The table of routes refuses it.
    Refused(String),
    /// What it is joined with elsewhere decides where it would lead.
    RegistryAmbiguous,
    /// A chart or artifact; `artifacts: true` moves it.
    Artifact,
    /// Tags are looked up there, and the cache lists only those that it has.
    TagScan,
    /// A kustomize matcher whose image comes from a base or chart outside the repository.
    RemoteBase,
    /// A kustomize matcher that nothing in its layers answers to.
    NoBase,
    /// Its partner stays, and one without the other would lose a tag.
    Pair { because: String },
}

impl Why {
    /// The stable id, as outputs use it.
    pub fn id(&self) -> &'static str {
        match self {
            Why::Obstacle(obstacle) => obstacle.id(),
            Why::Excluded => "excluded",
            Why::Cached => "cached",
            Why::OtherCache => "other-cache",
            Why::Upstream => "upstream",
            Why::NoTarget => "no-target",
            Why::Refused(_) => "refused",
            Why::RegistryAmbiguous => "registry-ambiguous",
            Why::Artifact => "artifact",
            Why::TagScan => "tag-scan",
            Why::RemoteBase => "remote-base",
            Why::NoBase => "no-base",
            Why::Pair { .. } => "pair",
        }
    }

    /// One line for people: the reason, and what to do where there is something to do.
    pub fn explain(&self) -> String {
        let text = match self {
            Why::Obstacle(obstacle) => return explain_obstacle(*obstacle).to_owned(),
            Why::Excluded => "`include`/`exclude` of the configuration leaves it out",
            Why::Cached => "names the cache already",
            Why::OtherCache => "names another ECR registry or prefix than the one configured for this path",
            Why::Upstream => "names its upstream already",
            Why::NoTarget => "no registry is configured for this path",
            Why::Refused(reason) => return reason.clone(),
            Why::RegistryAmbiguous => {
                "a registry alone: the repositories that it is joined with are not known, and this upstream needs them"
            }
            Why::Artifact => "a chart or OCI artifact: `artifacts: true` moves it too",
            Why::TagScan => {
                "tags are looked up here: the cache lists only tags that it has, so this stays upstream"
            }
            Why::RemoteBase => {
                "matches images of a base or chart that is not in the repository: the name must stay"
            }
            Why::NoBase => "no image of its layers has this name: nothing to move together with",
            Why::Pair { because } => {
                return format!("its kustomize partner stays ({because}), and they move together");
            }
        };
        text.to_owned()
    }
}

fn explain_obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Sops => "the file is encrypted with SOPS: any edit breaks its MAC; edit it with `sops`",
        Obstacle::Computed => "a part of the name is computed: set the registry where it is computed",
        Obstacle::MultiLine => "the name runs over a line break or an escape: write it on one line",
        Obstacle::RegistryUnknown => "no registry is written: a chart may put its own before it",
        Obstacle::TwoRegistries => "registry and repository both name a host: one of them is not used",
        Obstacle::InvalidName => "no registry accepts this name",
        Obstacle::Ignored => "`# pullthru: ignore`",
        Obstacle::Pattern => "kustomize reads this name as a regular expression",
        Obstacle::Template => "stands in a text template: what it is joined with is not known",
        Obstacle::Alias => "the part that would change is an alias: edit its anchor",
        Obstacle::Renamed => "stands for the `newName` beside it and is never pulled",
    }
}

/// Something that a reviewer should know before the change is merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Warning {
    /// The rule's id.
    pub rule: &'static str,
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}
