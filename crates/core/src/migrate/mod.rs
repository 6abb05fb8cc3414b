//! Plans the migration and proves it file by file.
//!
//! [`plan()`] is pure: inventory and configuration in, [`Plan`] out, with a reason for everything that is skipped.
//! [`prepare`] reads the planned files, applies the edits and accepts the result only when it reads back as
//! planned; [`Prepared::write`] is the only step that changes a file.

mod added;
mod apply;
mod collide;
mod follow;
mod in_place;
mod inline;
mod matched;
mod overlay;
mod pair;
mod patterns;
mod plan;
mod prepared;
mod settle;
mod together;
mod warnings;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use added::in_added;
pub(crate) use apply::read;
pub use apply::{edited, prove};

pub(crate) use inline::back;
pub use overlay::Overlay;
pub(crate) use overlay::{ListChange, written};
pub use plan::plan;
pub use prepared::{PrepareError, Prepared, Proved};
pub use written::Written;

use crate::find::{Obstacle, Role, Site};
use crate::tree::{Position, RepoPath};
use crate::yaml::Edit;

/// Which way the references are rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToCache,
    /// Cached references back to their upstreams.
    ToUpstream,
}

/// How references are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// By overlays where a kustomization builds the image, else in place.
    #[default]
    Auto,
    /// By overlays, and in the values of charts, which are overlays of their own; the rest stays.
    Overlay,
    /// Each reference in place.
    Inline,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    pub direction: Direction,
    pub strategy: Strategy,
    /// Directory of a component for what root kustomizations have in common.
    pub component: Option<RepoPath>,
}

impl Mode {
    /// Each reference in place.
    pub fn inline(direction: Direction) -> Mode {
        Mode { direction, strategy: Strategy::Inline, component: None }
    }
}

/// What is to be done, by file.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub files: Vec<FilePlan>,
    /// What kustomizations gain or lose, by path.
    pub overlays: Vec<Overlay>,
    /// Files of our own beside the kustomizations, by path; `None` for one that goes.
    pub generated_files: BTreeMap<RepoPath, Option<String>>,
    /// Sites that are not edited, since an overlay renames them.
    pub renamed: Vec<RenamedBy>,
    pub skipped: Vec<Skipped>,
    pub warnings: Vec<Warning>,
    /// Files that must change together: matchers and what they match, new files and those that name them. Each file is in
    /// one of the sets at most.
    pub(crate) together: Vec<BTreeSet<RepoPath>>,
}

impl Plan {
    /// Does a matcher in this file change?
    fn matches_in(&self, path: &RepoPath) -> bool {
        let file = self.files.binary_search_by(|file| file.path.cmp(path)).ok();
        let mut changes = file.and_then(|at| self.files.get(at)).into_iter().flat_map(|file| &file.changes);
        changes.any(|change| matches!(change.site.role, Role::Matcher(_)))
    }

    pub fn changes(&self) -> impl Iterator<Item = (&FilePlan, &Change)> {
        self.files.iter().flat_map(|file| file.changes.iter().map(move |change| (file, change)))
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.overlays.is_empty()
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
    /// Of the sites of its file, which one it is.
    pub(crate) index: usize,
    /// The reference afterwards, composed as a node would pull it.
    pub to: String,
    pub edits: Vec<Edit>,
    pub because: Because,
}

/// Why a site is edited in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// `--strategy inline`, or `--reverse`.
    Asked,
    NoKustomization,
    /// Built by a kustomization, at a place that `images:` does not visit.
    Unseen,
    Unmatched,
    /// A root sees it and cannot rename it.
    Blocked,
}

impl Because {
    pub fn explain(self) -> &'static str {
        match self {
            Because::Asked => "asked for",
            Because::NoKustomization => "no kustomization builds it",
            Because::Unseen => "`images:` of kustomize does not come to this place",
            Because::Blocked => "no overlay can rename it in all that is built",
            Because::Unmatched => "no entry of `images:` matches a text with a variable in it",
        }
    }
}

/// One site that kustomizations rename when they are built.
#[derive(Clone, Debug)]
pub struct RenamedBy {
    pub path: RepoPath,
    pub position: Position,
    pub site: Site,
    /// Their files.
    pub by: BTreeSet<RepoPath>,
}

/// One site that is not changed, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    pub path: RepoPath,
    pub position: Position,
    pub site: Site,
    pub reason: SkipReason,
}

/// Why a site is not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// A fact about the place.
    Obstacle(Obstacle),
    /// A fact about the place, which a person can look up: then this is to be written instead.
    ByHand { obstacle: Obstacle, write: String },
    /// `include` or `exclude` of the configuration.
    Excluded,
    /// It names the cache already.
    Cached,
    /// It names another ECR registry or prefix than the target's.
    OtherCache,
    /// On the reversal: it names its upstream already.
    Upstream,
    /// No registry is configured for this path.
    NoTarget,
    /// ECR can cache its registry, and no route is configured for it.
    NotConfigured,
    /// ECR has no rule for its registry; the reason.
    NotCacheable(String),
    /// The table of routes refuses it.
    Refused(String),
    /// What it is joined with elsewhere decides where it would lead.
    RegistryAmbiguous,
    /// A chart or artifact; `artifacts: true` moves it.
    Artifact,
    /// Tags are looked up there, and the cache lists only those that it has.
    TagDiscovery,
    /// A kustomize matcher whose image comes from a base or chart outside the repository.
    RemoteBase,
    /// A kustomize matcher that nothing in its layers answers to.
    NoBase,
    /// These kustomizations rename it when they are built.
    Renamed { by: BTreeSet<RepoPath> },
    /// A kustomization sees it and does not rename it.
    Blocked { because: String },
    /// `images:` of kustomize does not come to such a place, or no kustomization builds it.
    OutOfReach,
    /// Several clusters build it, and their targets differ.
    DifferentRegistries,
    /// An entry of `images:` would begin to match it, or it what is called so already.
    Caught { by: String },
    /// Its partner stays, and one without the other would lose a tag.
    Pair { because: String },
}

impl SkipReason {
    /// The stable id, as outputs use it.
    pub fn id(&self) -> &'static str {
        match self {
            SkipReason::Obstacle(obstacle) | SkipReason::ByHand { obstacle, .. } => obstacle.id(),
            SkipReason::Excluded => "excluded",
            SkipReason::Cached => "cached",
            SkipReason::OtherCache => "other-cache",
            SkipReason::Upstream => "upstream",
            SkipReason::NoTarget => "no-target",
            SkipReason::NotConfigured => "not-configured",
            SkipReason::NotCacheable(_) => "not-cacheable",
            SkipReason::Refused(_) => "refused",
            SkipReason::RegistryAmbiguous => "registry-ambiguous",
            SkipReason::Artifact => "artifact",
            SkipReason::TagDiscovery => "tag-discovery",
            SkipReason::RemoteBase => "remote-base",
            SkipReason::NoBase => "no-base",
            SkipReason::Renamed { .. } => "renamed",
            SkipReason::Blocked { .. } => "blocked",
            SkipReason::OutOfReach => "out-of-reach",
            SkipReason::DifferentRegistries => "different-registries",
            SkipReason::Pair { .. } | SkipReason::Caught { .. } => "pair",
        }
    }

    /// What a person can write instead, after a look at what the reason is about.
    pub fn write(&self) -> Option<&str> {
        match self {
            SkipReason::ByHand { write, .. } => Some(write),
            _ => None,
        }
    }

    /// [`SkipReason::explain`] with what to write.
    pub fn advice(&self) -> String {
        match self.write() {
            Some(write) => format!("{}: `{write}`", self.explain()),
            None => self.explain(),
        }
    }

    /// One line for people: the reason, and what to do where there is something to do.
    pub fn explain(&self) -> String {
        let text = match self {
            SkipReason::Obstacle(obstacle) | SkipReason::ByHand { obstacle, .. } => {
                return explain_obstacle(*obstacle).to_owned();
            }
            SkipReason::Excluded => "`include`/`exclude` of the configuration excludes it",
            SkipReason::Cached => "names the cache already",
            SkipReason::OtherCache => {
                "names another ECR registry or prefix than the one configured for this path"
            }
            SkipReason::Upstream => "names its upstream already",
            SkipReason::NoTarget => "no registry is configured for this path",
            SkipReason::NotConfigured => {
                "ECR can cache its registry, and no upstream is configured for it: `pullthru init` proposes one"
            }
            SkipReason::NotCacheable(reason) | SkipReason::Refused(reason) => return reason.clone(),
            SkipReason::RegistryAmbiguous => {
                "a registry alone, or one that aliases put before several repositories: this upstream needs to know the repository"
            }
            SkipReason::Artifact => "a chart or OCI artifact: `artifacts: true` moves it too",
            SkipReason::TagDiscovery => {
                "tags are looked up here: the cache lists only tags that it has, so this is not changed"
            }
            SkipReason::RemoteBase => {
                "matches images of a base or chart that is not in the repository: the name must not change"
            }
            SkipReason::NoBase => "no image of its layers has this name: nothing to move together with",
            SkipReason::Renamed { .. } => "kustomizations rename it when they are built",
            SkipReason::Blocked { because } => return format!("no overlay can rename it: {because}"),
            SkipReason::OutOfReach => {
                "no `images:` of a kustomization comes to this place: `--strategy auto` edits it in place"
            }
            SkipReason::DifferentRegistries => {
                "clusters with different registries build this file: `--strategy auto` renames what `images:` reaches"
            }
            SkipReason::Caught { by } => {
                return format!(
                    "kustomize compares names letter by letter, and in the cache all spellings are one: {by}, too; spell \
                     them alike first"
                );
            }
            SkipReason::Pair { because } => {
                return format!("its kustomize partner is not changed ({because}), and they move together");
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
        Obstacle::RegistryUnknown => {
            "no registry is written: what reads this field may put its own before it; if nothing does, write the whole name"
        }
        Obstacle::RegistryAlone => {
            "a registry alone, and nothing here composes images with it; if something does, write the cache's"
        }
        Obstacle::TwoRegistries => "registry and repository both name a host: one of them is not used",
        Obstacle::InvalidName => "no registry accepts this name",
        Obstacle::Ignored => "`# pullthru: ignore`",
        Obstacle::NodeImage => "a node pulls it before it has a login for ECR",
        Obstacle::Pattern => "kustomize reads this name as a regular expression",
        Obstacle::Template => "stands in a text template: what it is joined with is not known",
        Obstacle::Alias => {
            "the part that would change is an alias, or aliases put it elsewhere: edit the anchor with all of its aliases"
        }
        Obstacle::Unproved => "the edited file would not read as planned: please report this",
        Obstacle::ImageStream => "OpenShift puts the image of an image stream there",
        Obstacle::Variable => "its registry is a variable that the repository sets, and counts there",
        Obstacle::Renamed => "stands for the `newName` beside it and is never pulled",
    }
}

/// Something that a reviewer should know before the change is merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Warning {
    /// The rule's id.
    pub rule: &'static str,
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}
