//! The patterns of paths and images in `pullthru.yaml`: what is wrong with them, and the paths of two targets that overlap.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::gitignore::GitignoreBuilder;

use super::LintIgnore;
use super::checker::Checker;
use super::file::{LintIgnoreFile, TargetFile};
use super::text::Text;

/// Globs as they are written.
pub(super) const IMAGES: &str = "write `ghcr.io/my-org/**`";
pub(super) const PATHS: &str = "write `apps/**`";

impl Checker {
    /// Two targets may nest, never tie: where both match a path, one has to have the longer fixed start.
    pub(super) fn overlaps(&mut self, targets: &[TargetFile]) {
        let mut seen: Vec<(usize, &Text)> = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            for path in &target.paths {
                let tie =
                    seen.iter().find(|(other, first)| *other != index && tie(&first.value, &path.value));
                if let Some((_, first)) = tie {
                    let message = format!("targets overlap: `{}` and `{}`", first.value, path.value);
                    self.report(
                        Some(path),
                        message,
                        "give each path to one target; a longer fixed start wins",
                    );
                }
                seen.push((index, path));
            }
        }
    }

    pub(super) fn image_patterns(&mut self, texts: Vec<Text>) -> Vec<Text> {
        let mut patterns = Vec::new();
        for text in texts {
            match image_pattern(&text.value) {
                Some(value) => patterns.push(Text { value, ..text }),
                None => {
                    let message = format!("`{}` can never match an image", text.value);
                    self.report(
                        Some(&text),
                        message,
                        "write registry and repository in lower case, without tag and digest",
                    );
                }
            }
        }
        patterns
    }

    /// Patterns of paths that the walk can read.
    pub(super) fn ignore(&mut self, texts: Vec<Text>) -> Vec<String> {
        for text in &texts {
            if let Err(error) = GitignoreBuilder::new("").add_line(None, &text.value) {
                let message = format!("`{}` is no pattern: {error}", text.value);
                self.report(Some(text), message, "write it as in a .gitignore: `docs/**`, `*.tmpl`");
            }
        }
        texts.into_iter().map(|text| text.value).collect()
    }

    pub(super) fn lint_ignore(&mut self, file: LintIgnoreFile) -> Option<LintIgnore> {
        let Some(first) = file.paths.first().or(file.images.first()) else {
            self.report(
                None,
                "an entry of `lint-ignore` has neither paths nor images",
                "add `paths:` or `images:`; a rule is turned off for all of them by `lint: { rule: off }`",
            );
            return None;
        };
        let source = self.source.as_ref();
        let text = source.map(|source| source.inner().as_str()).unwrap_or_default();
        let position = crate::tree::LineIndex::new(text).position(first.start);
        let name = source.map(|source| source.name().to_owned()).unwrap_or_default();
        let paths: Vec<Text> =
            file.paths.iter().map(|path| Text { value: path_pattern(&path.value), ..path.clone() }).collect();
        let images = self.image_patterns(file.images);
        let (paths, images) = (
            (!paths.is_empty()).then(|| self.globs(&paths, PATHS).1),
            (!images.is_empty()).then(|| self.globs(&images, IMAGES).1),
        );
        Some(LintIgnore { rules: file.rules, paths, images, place: (name, position) })
    }

    pub(super) fn globs(&mut self, texts: &[Text], help: &str) -> (Vec<Glob>, GlobSet) {
        let mut set = GlobSetBuilder::new();
        let mut globs = Vec::new();
        for text in texts {
            match GlobBuilder::new(&text.value).literal_separator(true).build() {
                Ok(glob) => {
                    set.add(glob.clone());
                    globs.push(glob);
                }
                Err(error) => {
                    self.report(Some(text), format!("`{}` is no glob: {}", text.value, error.kind()), help);
                }
            }
        }
        match set.build() {
            Ok(set) => (globs, set),
            Err(error) => {
                // Without it nothing would match, and what is excluded would not be.
                let (message, help) =
                    (format!("these globs are too much for one list: {error}"), "write fewer");
                self.report(texts.first(), message, help);
                (globs, GlobSet::empty())
            }
        }
    }
}

/// Do two patterns of one fixed start match a path in common? Tried with a path of each.
fn tie(first: &str, second: &str) -> bool {
    let matches = |pattern: &str, path: &str| {
        let glob = GlobBuilder::new(&path_pattern(pattern)).literal_separator(true).build();
        glob.is_ok_and(|glob| glob.compile_matcher().is_match(path))
    };
    let example = |pattern: &str| path_pattern(pattern).replace("**", "x").replace('*', "x");
    fixed_start(&path_pattern(first)) == fixed_start(&path_pattern(second))
        && (matches(first, &example(second)) || matches(second, &example(first)))
}

/// A path as people write it: a directory stands for all below it.
pub(super) fn path_pattern(text: &str) -> String {
    let text = text.strip_prefix("./").unwrap_or(text).trim_start_matches('/').trim_end_matches('/');
    let file = text.ends_with(".yaml") || text.ends_with(".yml") || text.ends_with(".json");
    if fixed_start(text) == text && !file { format!("{text}/**") } else { text.to_owned() }
}

/// An image as people write it: Docker Hub's short names spelled out, a host alone for all of it. `None` for what
/// could never match, since images are compared without tag and digest.
fn image_pattern(text: &str) -> Option<String> {
    let (first, rest) = text.split_once('/').unwrap_or((text, ""));
    let tagged = rest.contains(':') || rest.contains('@') || rest.is_empty() && first.contains('@');
    if tagged || text.is_empty() || text.chars().any(char::is_uppercase) {
        return None;
    }
    let host = first.contains(['.', ':', '*', '?', '[', '{']) || first == "localhost";
    Some(match (host, rest) {
        (true, "") if first != "**" && first != "*" => format!("{first}/**"),
        (true, _) => text.to_owned(),
        (false, "") => format!("docker.io/library/{text}"),
        (false, _) => format!("docker.io/{text}"),
    })
}

/// What stands before the first wildcard.
pub(super) fn fixed_start(glob: &str) -> &str {
    glob.find(['*', '?', '[', '{']).and_then(|at| glob.get(..at)).unwrap_or(glob)
}
