//! Why a value of a release is written nowhere.

use crate::tree::RepoPath;
use crate::yaml::FieldPath;
use crate::yaml::set::SetError;

/// Why a value is written nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("nothing in the repository holds values of it")]
    NoSource,
    #[error("`{0}` cannot be read")]
    Unread(RepoPath),
    #[error("they stand in `{0}`, which is not among the named paths")]
    NotNamed(RepoPath),
    #[error("it comes from {0}, which is not written here")]
    Source(String),
    #[error("the chart of {0} renders this release, and a template writes its values, which no file holds")]
    Rendered(String),
    #[error("`{0}` has another name in `{1}`")]
    Renamed(String, RepoPath),
    #[error("clusters with other registries build this release, too, and no patch in `{0}` can set them")]
    Patch(RepoPath),
    #[error(
        "clusters with other registries build this release, too, and no patch in `{1}` copies the list `{0}`: {2}"
    )]
    PatchedList(FieldPath, RepoPath, ListSource),
    #[error("`{path}`: {source}")]
    Set { path: RepoPath, source: SetError },
    #[error("the text of values in `{0}` is no block of its own lines")]
    Text(RepoPath),
}

/// Where a list stands that is not copied, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListSource {
    #[error("it is the chart's; write it into the values of the object")]
    Chart,
    #[error("it stands in `{0}`; write it into the values of the object")]
    File(RepoPath),
    #[error("a patch or a variable changes it; name the cached images there")]
    Changed,
}
