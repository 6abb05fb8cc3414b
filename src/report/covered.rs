//! What a run looked at: the first line of every report, so that nobody takes a part for the whole.

use std::io::{self, Write};

use super::{Paint, count};
use crate::images::Charts;
use crate::kustomize::Model;
use crate::lint::references::unseen;
use crate::tree::RepoPath;

/// What was read of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Standard input, in place of a repository.
    pub stdin: bool,
    /// Files that were read.
    pub files: usize,
    /// Kustomizations and directories that are built by themselves.
    pub roots: usize,
    /// Releases of charts, and those of them whose images are not known.
    pub releases: usize,
    pub unseen_releases: usize,
}

impl Covered {
    /// `files` is how many were read of what was asked for; `within` accepts the paths that were asked for.
    pub fn of(
        model: &Model<'_>,
        charts: Option<&Charts>,
        files: u64,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Covered {
        let unseen_releases = unseen(model.inventory, model.inventory, charts, &within).releases;
        let known = charts.map_or(0, |charts| {
            charts.releases.iter().filter(|one| within(&one.place.path) && one.is_known()).count()
        });
        let roots = model.built_images().iter().filter(|root| within(&root.by)).count();
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        Covered { stdin: false, files, roots, releases: known + unseen_releases, unseen_releases }
    }

    /// What is not about charts.
    pub fn without_releases(self) -> Covered {
        Covered { releases: 0, unseen_releases: 0, ..self }
    }

    /// `16 files, 3 roots, 9 releases (2 not seen)`.
    pub fn words(&self) -> String {
        if self.stdin {
            return "standard input".to_owned();
        }
        let mut parts = vec![count(self.files, "file")];
        if self.roots > 0 {
            parts.push(count(self.roots, "root"));
        }
        if self.releases > 0 {
            let unseen = match self.unseen_releases {
                0 => String::new(),
                number if number == self.releases => " (not seen)".to_owned(),
                number => format!(" ({number} not seen)"),
            };
            parts.push(format!("{}{unseen}", count(self.releases, "release")));
        }
        parts.join(", ")
    }
}

/// The first line of a report: what was read.
pub(super) fn read(covered: Covered, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", paint.dim(&format!("read {}", covered.words())))
}

#[cfg(test)]
mod tests {
    use super::Covered;

    #[test]
    fn what_there_is_none_of_is_left_out() {
        let words = |files, roots, releases, unseen_releases| {
            Covered { stdin: false, files, roots, releases, unseen_releases }.words()
        };
        assert_eq!(words(1, 0, 0, 0), "1 file");
        assert_eq!(words(16, 3, 9, 2), "16 files, 3 roots, 9 releases (2 not seen)");
        assert_eq!(words(2, 1, 1, 1), "2 files, 1 root, 1 release (not seen)");
        assert_eq!(words(2, 1, 4, 0), "2 files, 1 root, 4 releases");
    }
}
