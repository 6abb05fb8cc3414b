//! Renews the image lock: what it knows is taken from it, and the rest is rendered. A release that could not be rendered keeps the images of its last render, marked: a failure is no removal.

use std::collections::BTreeMap;
use std::sync::Arc;

use pullthru_core::releases::lock::{
    Capabilities, ImageLock, LockState, LockedChart, LockedImage, LockedRelease, hash,
};
use pullthru_core::releases::rendered::{RenderReader, Rendered};
use pullthru_core::releases::{ChartRef, Release, ReleaseId};

use crate::failure::Failure;
use crate::fetch::Chart;
use crate::render::{Charts, Outcome};

/// Which releases are rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renew {
    /// Those that the lock does not know as they are now.
    Stale,
    /// Those, and those whose version is chosen from a range, which may lead to another one today.
    Floating,
    /// All.
    All,
}

/// The image lock, renewed.
#[derive(Clone, Debug, Default)]
pub struct RenewedLock {
    /// A block for each release whose images are known, now or from its last render.
    pub lock: ImageLock,
    /// What was rendered in this run.
    pub rendered: BTreeMap<ReleaseId, RenderedRelease>,
    /// Releases whose images are not known, or not known as they are now, and why.
    pub unknown: BTreeMap<ReleaseId, Failure>,
}

impl RenewedLock {
    /// Takes in that of other releases.
    pub fn add(&mut self, other: RenewedLock) {
        self.lock.releases.extend(other.lock.releases);
        self.rendered.extend(other.rendered);
        self.unknown.extend(other.unknown);
    }

    /// Keeps these releases only.
    pub fn retain(&mut self, keeps: impl Fn(&ReleaseId) -> bool) {
        self.lock.releases.retain(|id, _| keeps(id));
        self.rendered.retain(|id, _| keeps(id));
        self.unknown.retain(|id, _| keeps(id));
    }
}

/// A release that was rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedRelease {
    pub chart: Arc<Chart>,
    pub images: Rendered,
}

impl Charts {
    /// The lock of these releases. `done` is called with each release that is settled.
    pub async fn renew_lock(
        &self,
        releases: Vec<Release>,
        lock: &ImageLock,
        renew: Renew,
        reader: &RenderReader,
        mut done: impl FnMut(&ReleaseId),
    ) -> RenewedLock {
        let mut found = RenewedLock::default();
        let mut stale: Vec<Release> = Vec::new();
        for release in releases {
            match lock.state(&release, self.capabilities()) {
                LockState::Fresh(block) if !must_render(&release, renew) => {
                    done(&release.id);
                    // The files may be others, and decide the same.
                    let block = LockedRelease { inputs: release.inputs, ..block.clone() };
                    found.lock.releases.insert(release.id, block);
                }
                _ => stale.push(release),
            }
        }
        let to_render = stale.clone();
        let reader = reader.clone();
        let read = move |release: &Release, outcome: Outcome| match (outcome.chart, outcome.rendered) {
            (Some(chart), Ok(text)) => Ok(RenderedRelease { chart, images: reader.read(release, &text) }),
            (_, Err(failure)) => Err(failure),
            (None, Ok(_)) => Err(Failure::Unknown { reason: "its chart is not known".to_owned() }),
        };
        self.each(to_render, read, |index, outcome| {
            let Some(release) = stale.get(index) else { return };
            let id = release.id.clone();
            done(&id);
            match outcome {
                Ok(rendered) => {
                    found.lock.releases.insert(id.clone(), block(release, self.capabilities(), &rendered));
                    found.rendered.insert(id, rendered);
                }
                Err(failure) => {
                    found.lock.keep_failed(&id, lock);
                    found.unknown.insert(id, failure);
                }
            }
        })
        .await;
        found
    }
}

fn must_render(release: &Release, renew: Renew) -> bool {
    match renew {
        Renew::Stale => false,
        Renew::Floating => range(release).is_some(),
        Renew::All => true,
    }
}

/// The range that the chart's version is chosen from.
fn range(release: &Release) -> Option<String> {
    match &release.chart {
        ChartRef::Oci { version, .. } | ChartRef::Http { version, .. } if version.is_floating() => {
            Some(version.to_string())
        }
        _ => None,
    }
}

fn block(
    release: &Release,
    capabilities: &Capabilities,
    RenderedRelease { chart, images }: &RenderedRelease,
) -> LockedRelease {
    let image = |(image, role): (&str, _)| LockedImage { image: image.to_owned(), role, key: None };
    LockedRelease {
        chart: LockedChart {
            source: chart.source.clone(),
            version: chart.version.clone(),
            range: range(release),
            digest: (!chart.is_local).then(|| chart.digest.clone()),
            asks: chart.asks.clone(),
        },
        hash: hash(release, capabilities, &chart.asks),
        inputs: release.inputs.clone(),
        images: images.listed().map(image).collect(),
        deploys: images.deployers.clone(),
        render_failed: false,
    }
}
