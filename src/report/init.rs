//! What `init` found, so that nobody has to read the file to know what it is made of.

use std::io::{self, Write};

use super::covered::Covered;
use super::{Paint, count, quoted};

/// What a repository shows to `init`.
#[derive(Clone, Debug, Default)]
pub struct InitReport {
    pub covered: Covered,
    /// Hosts with the number of their images, the most used first.
    pub upstreams: Vec<(String, usize)>,
    /// Hosts that ECR cannot cache, with the reason.
    pub not_cacheable: Vec<(String, &'static str)>,
    /// What builds and deploys: `Flux Kustomization`, with how many there are.
    pub deployers: Vec<(&'static str, usize)>,
    /// Programs that write names or tags of images into the repository.
    pub updaters: Vec<&'static str>,
}

/// A line for each kind of thing that was found.
pub fn human(report: &InitReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(&format!("read {}", report.covered.without_releases().words())))?;
    let images: Vec<String> = report
        .upstreams
        .iter()
        .map(|(host, images)| format!("{host} ({})", count(*images, "image")))
        .collect();
    line("upstreams", &images, "none that ECR can cache", out)?;
    for (host, reason) in &report.not_cacheable {
        writeln!(out, "  {:<12}  {}: {reason}", "not cached", quoted(host))?;
    }
    let deployers: Vec<String> = report.deployers.iter().map(|(kind, number)| count(*number, kind)).collect();
    line("deployers", &deployers, "none: images are edited in place, or in root kustomizations", out)?;
    if report.covered.releases > 0 {
        let releases = count(report.covered.releases, "release");
        writeln!(out, "  {:<12}  {releases} (`pullthru charts` lists them with their images)", "charts")?;
    }
    let updaters: Vec<String> = report.updaters.iter().map(|name| (*name).to_owned()).collect();
    line("updaters", &updaters, "none", out)
}

fn line(label: &str, found: &[String], none: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = if found.is_empty() { none.to_owned() } else { found.join(", ") };
    writeln!(out, "  {label:<12}  {text}")
}
