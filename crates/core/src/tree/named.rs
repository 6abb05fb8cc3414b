//! The paths that a command line names: which repository they lie in, and where in it. Whatever names something that is not
//! inside is an error before anything is read: a path that is left out must never turn «these files» into «all files».

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{CONFIG_NAMES, RepoPath, Repository, shown};

/// Why a named path cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    #[error("`{}` does not exist", shown(path))]
    Missing { path: PathBuf },
    #[error("`{}` cannot be read: {source}", shown(path))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the name of `{}` is not UTF-8", shown(path))]
    NotUtf8 { path: PathBuf },
    #[error("`{}` lies outside the repository `{}`", shown(path), shown(root))]
    Outside { path: PathBuf, root: PathBuf },
    #[error(
        "`{}` is a link to `{}`, which lies outside the repository `{}`",
        shown(path),
        shown(to),
        shown(root)
    )]
    LinkOutside { path: PathBuf, to: PathBuf, root: PathBuf },
    /// No `pullthru.yaml` and no `.git` above it, and it is no directory that could be a root itself.
    #[error("`{}` lies in no repository: no directory above it holds `pullthru.yaml` or `.git`", shown(path))]
    NoRepository { path: PathBuf },
}

impl PathError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            PathError::Missing { .. } => "name files or directories that exist",
            PathError::Unreadable { .. } => "check the permissions of the directories above it",
            PathError::NotUtf8 { .. } => "rename it, or name the directory that holds it",
            PathError::Outside { .. } => {
                "name paths of one repository, run once for each repository, or name a directory that holds all of them \
                 with `--root`"
            }
            PathError::LinkOutside { .. } => "run in the repository that holds the file",
            PathError::NoRepository { .. } => "name the repository's directory, or give it with `--root`",
        }
    }
}

/// The repository that `paths` lie in, and the place of each in it, links resolved, in their order. With a `root`, that is
/// the repository. Without, it is the outermost among the repositories of the paths (the nearest directory at or above one
/// that holds a configuration or `.git`) that holds all of them. Where nothing marks a repository, it is a named directory
/// that holds all paths, else the current directory if that does.
///
/// # Errors
/// [`PathError`] for the first path that cannot be used, or that lies outside.
pub fn locate(
    paths: &[PathBuf],
    root: Option<&Repository>,
) -> Result<(Repository, Vec<RepoPath>), PathError> {
    let named: Vec<Named<'_>> = paths.iter().map(|path| Named::new(path)).collect::<Result<_, _>>()?;
    let repository = match root {
        Some(root) => root.clone(),
        None => root_of(&named)?,
    };
    let places = named.iter().map(|named| named.place(&repository)).collect::<Result<_, _>>()?;
    Ok((repository, places))
}

fn root_of(named: &[Named<'_>]) -> Result<Repository, PathError> {
    let mut roots = Roots::default();
    let (mut marked, mut directories, mut members) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for named in named {
        // A link belongs to the repository that it stands in; where none is marked there, it stands for its target.
        let of_link = named.link.as_deref().and_then(|link| Some((link, roots.above(link.parent()?)?)));
        let real = named.real.as_deref().or(named.link.as_deref()).unwrap_or(named.given);
        let directory = if named.is_directory { real } else { real.parent().unwrap_or(real) };
        let (member, root) = match of_link {
            Some((link, root)) => (link, Some(root)),
            None => (real, roots.above(directory)),
        };
        match root {
            Some(root) => _ = marked.insert(root),
            None if named.is_directory => _ = directories.insert(real.to_owned()),
            None => {}
        }
        members.push((named, member));
    }
    let outside = |root: &Path| members.iter().find(|(_, member)| !member.starts_with(root));
    let candidates = if marked.is_empty() { &directories } else { &marked };
    if let Some(root) = candidates.iter().find(|root| outside(root).is_none()) {
        return Ok(Repository { root: root.clone() });
    }
    // Two repositories beside each other; or nothing is marked, and no named directory holds all paths.
    if let Some(root) = marked.first() {
        let path = outside(root).map(|(named, _)| named.given.to_owned()).unwrap_or_default();
        return Err(PathError::Outside { path, root: root.clone() });
    }
    match fs::canonicalize(".") {
        Ok(root) if outside(&root).is_none() => Ok(Repository { root }),
        _ => Err(PathError::NoRepository {
            path: named.first().map(|named| named.given.to_owned()).unwrap_or_default(),
        }),
    }
}

/// A path of the command line, as it is on the disk.
struct Named<'a> {
    given: &'a Path,
    /// Its own place, where it is a link: the canonical directory and the link's name.
    link: Option<PathBuf>,
    /// Where it leads, canonical; `None` for a link that leads nowhere.
    real: Option<PathBuf>,
    /// Whether it leads to a directory.
    is_directory: bool,
}

impl<'a> Named<'a> {
    fn new(given: &'a Path) -> Result<Named<'a>, PathError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                PathError::Missing { path: given.to_owned() }
            }
            _ => PathError::Unreadable { path: given.to_owned(), source },
        };
        let is_link = fs::symlink_metadata(given).map_err(failed)?.is_symlink();
        let mut link = None;
        let real = if is_link {
            let absolute = std::path::absolute(given).map_err(failed)?;
            if let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) {
                link = Some(fs::canonicalize(parent).map_err(failed)?.join(name));
            }
            fs::canonicalize(given).ok()
        } else {
            Some(fs::canonicalize(given).map_err(failed)?)
        };
        let is_directory = real.as_deref().is_some_and(Path::is_dir);
        Ok(Named { given, link, real, is_directory })
    }

    fn place(&self, repository: &Repository) -> Result<RepoPath, PathError> {
        let (path, root) = (self.given.to_owned(), repository.root.clone());
        let own = self.link.as_ref().filter(|link| link.starts_with(&root));
        match (&self.real, own) {
            (Some(real), _) if real.starts_with(&root) => {
                repository.strip(real).ok_or(PathError::NotUtf8 { path })
            }
            (Some(real), Some(_)) => Err(PathError::LinkOutside { path, to: real.clone(), root }),
            (None, Some(own)) => repository.strip(own).ok_or(PathError::NotUtf8 { path }),
            (_, None) => Err(PathError::Outside { path, root }),
        }
    }
}

/// Directories with the marked one at or above them: a hook names hundreds of files of a few directories.
#[derive(Default)]
struct Roots(HashMap<PathBuf, Option<PathBuf>>);

impl Roots {
    fn above(&mut self, directory: &Path) -> Option<PathBuf> {
        if let Some(known) = self.0.get(directory) {
            return known.clone();
        }
        let found = directory.ancestors().find(|above| is_marked(above)).map(Path::to_owned);
        self.0.insert(directory.to_owned(), found.clone());
        found
    }
}

/// Whether something in the directory says that it is the root of a repository.
pub(super) fn is_marked(directory: &Path) -> bool {
    CONFIG_NAMES.iter().any(|name| directory.join(name).is_file()) || directory.join(".git").exists()
}
