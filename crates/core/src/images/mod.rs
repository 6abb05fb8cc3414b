//! What clusters pull: the one model that `check`, `verify`, `warm`, `cost`, the emitters and the HTML page read.
//!
//! [`Outputs`] holds every reference as it leaves the kustomizations and the Flux and Argo CD objects that build it.
//! [`Images`] lists each image once, with its upstream and cached name and the places in files that it comes from: a tag
//! in a base that a root overrides is never pulled and is not listed, and what `newTag` and `newName` make of it is.
//! References that nothing builds count as they are written. [`by_name`] groups the tags of one image.

mod charts;
mod gather;
mod named;
mod outputs;

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config::Config;
use crate::find::Role;
use crate::image::{DOCKER_HUB, Digest, Name};
use crate::inventory::SiteId;
use crate::kustomize::Model;
use crate::route::Routes;
pub use crate::tree::Place;
use crate::tree::{Position, RepoPath};

pub use charts::{ChartImage, Charts, KnownFrom, KnownRelease, ReleaseImages, ReleaseState, RenderedValues};
use gather::Gathered;
pub use named::{Named, Tagged, as_used_in, by_name, names, target_of};
pub use outputs::{EntryOutput, Output, Outputs};

/// One image, chart or artifact with its tag, its digest or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `None` for an image of an ECR registry that no route leads to.
    pub upstream: Option<Name>,
    /// `None` where no registry is configured, or no route leads there.
    pub cached: Option<Name>,
    /// The cached name where the cache's registry is a placeholder, such as `${ECR}`: it has no address, and `cached` is
    /// `None`.
    pub placeholder: Option<Name>,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
    /// A chart or another OCI artifact, pulled by a controller.
    pub artifact: bool,
    /// Sorted; of an image that a chart brings that of the release.
    pub places: Vec<Place>,
    /// The releases whose charts bring it, sorted.
    pub releases: Vec<String>,
}

impl Image {
    /// The tag that is pulled when there is no digest.
    pub fn tag_or_latest(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// The reference under one of its names.
    pub fn under(&self, name: &Name) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{name}{tag}{digest}")
    }

    /// The reference at the upstream, else at the cache.
    pub fn reference(&self) -> String {
        self.upstream.as_ref().or(self.cached.as_ref()).map(|name| self.under(name)).unwrap_or_default()
    }
}

/// A reference that cannot be asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    pub place: Place,
    pub reference: String,
    pub why: Cow<'static, str>,
    /// It stands for all images of this release, which are not known.
    pub release: Option<String>,
    /// Nothing could be pulled by it, whatever else fills in the rest.
    pub invalid: bool,
    /// Its names, where the tag alone is not known.
    pub names: Option<Names>,
}

/// What an image is called at the upstream and at the cache, be that a placeholder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Names {
    pub upstream: Name,
    pub cached: Option<Name>,
}

/// Everything that is pulled, sorted by reference.
#[derive(Clone, Debug, Default)]
pub struct Images {
    pub images: Vec<Image>,
    pub unknown: Vec<Unknown>,
}

impl Images {
    /// Of a repository: what is written in the paths that `within` accepts, and what the roots in them build; charts and
    /// other artifacts count on request. `charts` are the releases whose images are to be counted, in those paths or not.
    pub fn of(
        model: &Model<'_>,
        charts: Option<&Charts>,
        artifacts: bool,
        within: impl Fn(&RepoPath) -> bool,
    ) -> Images {
        let &Model { inventory, config, .. } = model;
        let outputs = Outputs::new(model);
        let rendered = RenderedValues::new(charts);
        let mut gathered = Gathered::new(config);
        for (f, file) in inventory.files.iter().enumerate() {
            // Fields that kustomize does not look at are built all the same, for the same clusters.
            let routes = match model.routes_of_roots(&file.path) {
                Some(routes) => routes.into_iter().map(Some).collect(),
                None => vec![config.routes(file.path.as_str())],
            };
            let is_written_within = within(&file.path);
            let sites = file.found.sites.iter().enumerate();
            for (s, site) in sites.filter(|(_, site)| artifacts || site.role != Role::Artifact) {
                let place = Place { path: file.path.clone(), position: site.position };
                let built = outputs.of_site(SiteId::new(f, s));
                for output in built.iter().filter(|output| is_written_within || within(&output.by)) {
                    let text = output.overridden.then_some(output.text.as_str());
                    match config.routes(output.by.as_str()) {
                        _ if output.by == file.path => {
                            routes.iter().for_each(|routes| gathered.site(site, text, *routes, &place));
                        }
                        routes => gathered.site(site, text, routes, &place),
                    }
                }
                if built.is_empty() && is_written_within && !rendered.hold(&file.path, site) {
                    routes.iter().for_each(|routes| gathered.site(site, None, *routes, &place));
                }
            }
        }
        for output in outputs.entries() {
            if within(&output.place.path) || within(&output.by) {
                gathered.entry(output, config.routes(output.by.as_str()));
            }
        }
        let releases = charts.into_iter().flat_map(|charts| &charts.releases);
        for release in releases.filter(|release| release.is_within(&within)) {
            gathered.release(release);
        }
        gathered.finish()
    }

    /// Of a list, one reference a line; blank lines and `#` comments are left out.
    pub fn of_list(text: &str, path: &RepoPath, config: &Config) -> Images {
        let mut gathered = Gathered::new(config);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            let reference = line.split('#').next().unwrap_or_default().trim();
            if !reference.is_empty() {
                let position = Position { line: number + 1, column: 1 };
                let place = Place { path: path.clone(), position };
                gathered.reference(reference, config.routes(path.as_str()), &place, false);
            }
        }
        gathered.finish()
    }

    /// Prefixes of the routes that something here goes through, or would.
    pub fn prefixes(&self, routes: &Routes) -> BTreeSet<String> {
        let of_cache = |image: &&Image| {
            image.cached.as_ref().is_some_and(|name| name.host == routes.cache().to_string())
        };
        let upstreams = self.images.iter().filter(of_cache).filter_map(|image| image.upstream.as_ref());
        upstreams.filter_map(|name| routes.route_for(name)).map(|route| route.prefix.to_string()).collect()
    }
}

/// Docker's own image that is meant where `library/` was left out: a node is not given it like that, and a message can say so.
pub fn official(name: &Name, routes: &Routes) -> Option<Name> {
    let (prefix, image) = name.path.rsplit_once('/')?;
    let full = Name { host: name.host.clone(), path: format!("{prefix}/library/{image}") };
    routes.unmap(&full).filter(|upstream| upstream.host == DOCKER_HUB)
}
