//! The status of an image, and how many images go through the cache.
//!
//! [`Coverage`] is the one count that `scan`, `check`, its page and merged reports print. It claims no more than was
//! seen: as long as a chart was not rendered, a name is computed or a file did not parse, the figure is an upper bound,
//! and never 100 %.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How an image is pulled; the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It names the cache that is configured for its path.
    Cached,
    /// Left out by the configuration, by a comment, or by a rule with its reason.
    Excluded,
    /// ECR has no rule for its registry.
    NotCacheable,
    /// What is pulled cannot be known from the files.
    Unknown,
    /// It names an upstream that ECR can cache, or another cache than the one configured.
    Bypassing,
}

impl Status {
    pub const ALL: [Status; 5] =
        [Status::Cached, Status::Bypassing, Status::NotCacheable, Status::Excluded, Status::Unknown];

    /// The stable id, as outputs use it.
    pub fn id(self) -> &'static str {
        match self {
            Status::Cached => "cached",
            Status::Excluded => "excluded",
            Status::NotCacheable => "not-cacheable",
            Status::Unknown => "unknown",
            Status::Bypassing => "bypassing",
        }
    }

    /// The same for people.
    pub fn words(self) -> &'static str {
        match self {
            Status::NotCacheable => "not cacheable",
            other => other.id(),
        }
    }
}

/// How many have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Count {
    pub cached: usize,
    pub bypassing: usize,
    pub not_cacheable: usize,
    pub excluded: usize,
    pub unknown: usize,
}

impl Count {
    pub fn of(&self, status: Status) -> usize {
        match status {
            Status::Cached => self.cached,
            Status::Bypassing => self.bypassing,
            Status::NotCacheable => self.not_cacheable,
            Status::Excluded => self.excluded,
            Status::Unknown => self.unknown,
        }
    }

    pub fn add(&mut self, status: Status, number: usize) {
        let count = match status {
            Status::Cached => &mut self.cached,
            Status::Bypassing => &mut self.bypassing,
            Status::NotCacheable => &mut self.not_cacheable,
            Status::Excluded => &mut self.excluded,
            Status::Unknown => &mut self.unknown,
        };
        *count = count.saturating_add(number);
    }

    /// Those that ECR can cache.
    pub fn cacheable(&self) -> usize {
        self.cached.saturating_add(self.bypassing)
    }

    pub fn total(&self) -> usize {
        Status::ALL.iter().fold(0, |sum: usize, &status| sum.saturating_add(self.of(status)))
    }

    /// `31 cached, 8 bypassing`; what there is none of is left out.
    pub fn words(&self) -> String {
        let some = Status::ALL.iter().filter(|&&status| self.of(status) > 0);
        some.map(|&status| format!("{} {}", self.of(status), status.words())).collect::<Vec<_>>().join(", ")
    }
}

/// Images of one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpstreamCount {
    /// Its host.
    pub host: String,
    pub cached: usize,
    pub bypassing: usize,
    /// A route leads from it to a cache.
    pub configured: bool,
}

impl UpstreamCount {
    /// `30 of 31`.
    pub fn words(&self) -> String {
        let known = if self.configured { "" } else { ": not configured" };
        format!("{} of {}{known}", self.cached, self.cached.saturating_add(self.bypassing))
    }
}

/// What could not be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unseen {
    /// Releases of charts whose images are not known: not rendered, or stale in the image lock.
    pub releases: usize,
    /// References whose registry or name is not in the files.
    pub references: usize,
    /// Layers of kustomizations that are not in the repository.
    pub bases: usize,
    /// Files that were not read whole or did not parse.
    pub files: usize,
}

impl Unseen {
    pub fn is_empty(&self) -> bool {
        *self == Unseen::default()
    }

    /// `33 releases and 2 references not seen`.
    fn words(&self) -> String {
        let parts = [
            (self.releases, "release", "releases"),
            (self.references, "reference", "references"),
            (self.bases, "remote base", "remote bases"),
            (self.files, "file", "files"),
        ];
        let some = parts.iter().filter(|(number, ..)| *number > 0);
        let some: Vec<String> = some
            .map(|(number, one, many)| format!("{number} {}", if *number == 1 { one } else { many }))
            .collect();
        match some.split_last() {
            Some((last, [])) => format!("{last} not seen"),
            Some((last, rest)) => format!("{} and {last} not seen", rest.join(", ")),
            None => String::new(),
        }
    }
}

/// How many images go through the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Coverage {
    /// `cached` of `cached` and `bypassing` images, in hundredths, rounded down. Absent where no image was counted, and
    /// where it would be 100 while something was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<usize>,
    /// Nothing was left unseen: `percent` is the figure, and not an upper bound.
    pub complete: bool,
    /// Images, whatever their tag, each once for each root that builds it, by the worst of its places there; those that
    /// charts bring, too, where they are known.
    pub images: Count,
    /// Places that name an image.
    pub references: Count,
    /// By host. Every upstream that ECR can cache and that an image comes from.
    pub upstreams: Vec<UpstreamCount>,
    pub unseen: Unseen,
}

impl Coverage {
    /// One sentence.
    pub fn words(&self) -> String {
        let (cached, all) = (self.images.cached, self.images.cacheable());
        match (self.percent, all) {
            (_, 0) if self.complete => "no image of a registry that ECR can cache".to_owned(),
            (_, 0) => format!("no known image; {}", self.unseen.words()),
            (Some(percent), _) if self.complete => {
                format!("{cached} of {all} images through the cache ({percent} %)")
            }
            (Some(percent), _) => format!(
                "at most {percent} % through the cache: {cached} of {all} known images, {}",
                self.unseen.words()
            ),
            (None, 1) => format!("the 1 known image cached, {}", self.unseen.words()),
            (None, _) => format!("all {all} known images cached, {}", self.unseen.words()),
        }
    }

    /// Does an image come from an upstream that ECR can cache and that no route leads from?
    pub fn has_unconfigured(&self) -> bool {
        self.upstreams.iter().any(|one| !one.configured)
    }

    /// What a report says of it, each line with its label.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("images", self.words())];
        let labels = std::iter::once("upstreams").chain(std::iter::repeat(""));
        for (one, label) in self.upstreams.iter().zip(labels) {
            lines.push((label, format!("{} {}", one.host, one.words())));
        }
        let others = Count { cached: 0, bypassing: 0, ..self.images };
        if others.total() > 0 {
            lines.push(("others", others.words()));
        }
        if self.references.total() > 0 {
            lines.push(("references", self.references.words()));
        }
        lines
    }

    /// The same in two or three words, for a table.
    pub fn figure(&self) -> String {
        match self.percent {
            Some(percent) if self.complete => format!("{percent} %"),
            Some(percent) => format!("at most {percent} %"),
            None if self.images.cacheable() > 0 => "all known".to_owned(),
            None => "no image".to_owned(),
        }
    }

    /// Two counts of different repositories, or of different roots. A sum that no number holds is the largest there is.
    pub fn merge(&mut self, other: &Coverage) {
        for status in Status::ALL {
            self.images.add(status, other.images.of(status));
            self.references.add(status, other.references.of(status));
        }
        let mut upstreams: BTreeMap<String, UpstreamCount> =
            self.upstreams.drain(..).map(|one| (one.host.clone(), one)).collect();
        for one in &other.upstreams {
            let host = one.host.clone();
            let sum = upstreams.entry(host.clone()).or_insert(UpstreamCount {
                host,
                configured: true,
                ..UpstreamCount::default()
            });
            sum.cached = sum.cached.saturating_add(one.cached);
            sum.bypassing = sum.bypassing.saturating_add(one.bypassing);
            sum.configured &= one.configured;
        }
        self.upstreams = upstreams.into_values().collect();
        self.unseen.releases = self.unseen.releases.saturating_add(other.unseen.releases);
        self.unseen.references = self.unseen.references.saturating_add(other.unseen.references);
        self.unseen.bases = self.unseen.bases.saturating_add(other.unseen.bases);
        self.unseen.files = self.unseen.files.saturating_add(other.unseen.files);
        self.settle();
    }

    fn settle(&mut self) {
        self.complete = self.unseen.is_empty();
        let percent = self.images.cached.saturating_mul(100).checked_div(self.images.cacheable());
        self.percent = percent.filter(|&percent| self.complete || percent < 100);
    }
}

/// Gathers references into a [`Coverage`].
#[derive(Debug, Default)]
pub struct Counter<'a> {
    /// The worst of an image's places, by image and root.
    images: BTreeMap<(&'a str, &'a str), Status>,
    references: Count,
    /// Images of charts that are not known whole, and registries of images that are not known.
    unknown: usize,
}

impl<'a> Counter<'a> {
    /// One place. `image` is the name at the upstream; `builds` are the roots that build it with the images that they
    /// make of it, none for a place that counts by itself.
    pub fn add(
        &mut self,
        image: &'a str,
        status: Status,
        builds: impl IntoIterator<Item = (&'a str, &'a str, Status)>,
    ) {
        self.references.add(status, 1);
        let mut any = false;
        for (root, image, status) in builds {
            any = true;
            self.image(image, root, status);
        }
        if !any {
            self.image(image, "", status);
        }
    }

    /// A place in the values of a release that was rendered: the images that the chart makes of it count instead.
    pub fn add_value(&mut self, status: Status) {
        self.references.add(status, 1);
    }

    /// A registry, or the beginning of names, that is joined with repositories elsewhere: it is no image, and as long as
    /// it bypasses the cache, images that are not known may do so.
    pub fn add_registry(&mut self, status: Status) {
        self.references.add(status, 1);
        self.unknown += usize::from(status == Status::Bypassing);
    }

    /// An image that a chart brings: no place in a file names it.
    pub fn add_rendered(&mut self, image: &'a str, root: &'a str, status: Status) {
        self.unknown += usize::from(status == Status::Unknown);
        self.image(image, root, status);
    }

    fn image(&mut self, image: &'a str, root: &'a str, status: Status) {
        let known = self.images.entry((image, root)).or_insert(status);
        *known = (*known).max(status);
    }

    /// `configured` says whether a route leads from a host; `unseen.references` are those that were added as unknown.
    pub fn finish(self, unseen: Unseen, configured: impl Fn(&str) -> bool) -> Coverage {
        let mut coverage = Coverage {
            references: self.references,
            unseen: Unseen { references: self.references.unknown + self.unknown, ..unseen },
            ..Coverage::default()
        };
        let mut upstreams: BTreeMap<&str, UpstreamCount> = BTreeMap::new();
        for ((image, _), status) in self.images {
            coverage.images.add(status, 1);
            if !matches!(status, Status::Cached | Status::Bypassing) {
                continue;
            }
            let host = host(image);
            let one = upstreams.entry(host).or_insert_with(|| UpstreamCount {
                host: host.to_owned(),
                configured: configured(host),
                ..UpstreamCount::default()
            });
            match status {
                Status::Cached => one.cached += 1,
                _ => one.bypassing += 1,
            }
        }
        coverage.upstreams = upstreams.into_values().collect();
        coverage.settle();
        coverage
    }
}

fn host(image: &str) -> &str {
    image.split('/').next().unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(places: &[(&str, &str, Status)], unseen: Unseen) -> Coverage {
        let mut counter = Counter::default();
        for &(image, root, status) in places {
            counter.add(image, status, Some((root, image, status)));
        }
        counter.finish(unseen, |host| host != "docker.io")
    }

    const RELEASES: Unseen = Unseen { releases: 33, references: 0, bases: 0, files: 0 };

    #[test]
    fn an_image_counts_once_for_each_root_by_the_worst_of_its_places() {
        let places = [
            ("ghcr.io/o/a", "prod", Status::Cached),
            ("ghcr.io/o/a", "prod", Status::Bypassing),
            ("ghcr.io/o/a", "dev", Status::Cached),
            ("ghcr.io/o/b", "dev", Status::Cached),
            ("docker.io/library/c", "dev", Status::Bypassing),
            ("gcr.io/d", "dev", Status::NotCacheable),
            ("ghcr.io/o/e", "dev", Status::Excluded),
        ];
        let found = coverage(&places, Unseen::default());
        assert_eq!(found.words(), "2 of 4 images through the cache (50 %)");
        assert_eq!(found.references.words(), "3 cached, 2 bypassing, 1 not cacheable, 1 excluded");
        let upstreams: Vec<String> =
            found.upstreams.iter().map(|one| format!("{} {}", one.host, one.words())).collect();
        assert_eq!(upstreams, ["docker.io 0 of 1: not configured", "ghcr.io 2 of 3"]);
    }

    #[test]
    fn a_registry_is_no_image_and_hides_some_until_it_is_cached() {
        let mut counter = Counter::default();
        counter.add("ghcr.io/o/a", Status::Cached, None);
        counter.add_registry(Status::Cached);
        let found = counter.finish(Unseen::default(), |_| true);
        assert_eq!(found.words(), "1 of 1 images through the cache (100 %)");
        assert_eq!(found.references.words(), "2 cached");
        let mut counter = Counter::default();
        counter.add("ghcr.io/o/a", Status::Cached, None);
        counter.add_registry(Status::Bypassing);
        let found = counter.finish(Unseen::default(), |_| true);
        assert_eq!(found.words(), "the 1 known image cached, 1 reference not seen");
    }

    #[test]
    fn what_was_not_seen_is_never_a_hundred() {
        let all = [("ghcr.io/o/a", "x", Status::Cached), ("ghcr.io/o/b", "x", Status::Cached)];
        let found = coverage(&all, RELEASES);
        assert_eq!((found.percent, found.complete), (None, false));
        assert_eq!(found.words(), "all 2 known images cached, 33 releases not seen");
        assert_eq!(coverage(&all, Unseen::default()).words(), "2 of 2 images through the cache (100 %)");
        let some = [all[0], ("quay.io/o/b", "x", Status::Bypassing), ("ghcr.io/o/c", "x", Status::Unknown)];
        assert_eq!(
            coverage(&some, Unseen { bases: 1, ..RELEASES }).words(),
            "at most 50 % through the cache: 1 of 2 known images, 33 releases, 1 reference and 1 remote base not seen"
        );
    }

    #[test]
    fn nothing_is_no_share() {
        assert_eq!(coverage(&[], Unseen::default()).words(), "no image of a registry that ECR can cache");
        assert_eq!(coverage(&[], RELEASES).words(), "no known image; 33 releases not seen");
        assert_eq!(coverage(&[("gcr.io/a", "", Status::NotCacheable)], Unseen::default()).percent, None);
    }

    #[test]
    fn the_figure_is_rounded_down() {
        let cached: Vec<String> = (0..299).map(|number| format!("ghcr.io/o/{number}")).collect();
        let mut places: Vec<(&str, &str, Status)> =
            cached.iter().map(|name| (name.as_str(), "x", Status::Cached)).collect();
        places.push(("ghcr.io/o/last", "x", Status::Bypassing));
        assert_eq!(coverage(&places, Unseen::default()).percent, Some(99));
    }

    #[test]
    fn merged_counts_are_the_count_of_all() {
        let first = [("ghcr.io/o/a", "x", Status::Cached), ("docker.io/library/b", "x", Status::Bypassing)];
        let second = [("ghcr.io/o/a", "y", Status::Bypassing), ("gcr.io/o/c", "y", Status::NotCacheable)];
        let mut merged = coverage(&first, RELEASES);
        merged.merge(&coverage(&second, Unseen::default()));
        assert_eq!(merged, coverage(&[first, second].concat(), RELEASES));
    }
}
