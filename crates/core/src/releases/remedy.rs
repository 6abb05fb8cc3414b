//! What makes the images of a release known that are not: the next step of a report.

/// What helps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Something that decides about the release is missing here, or is not evaluated.
    #[default]
    Change,
    /// A render, where helm and the chart are there.
    Render,
    /// First a render of the release whose chart renders it.
    RenderParent,
    /// Charts render each other.
    Circle,
    /// More levels of charts than are followed.
    Depth,
    /// Nobody who is asked here has the chart.
    ChartDir,
    /// `--offline`, and the chart was never fetched.
    Fetch,
    /// The repository has no such chart, or no such version of it.
    Version,
    /// The chart cannot be used.
    OtherChart,
    /// helm refuses the chart with these values.
    Values,
    /// A limit of time.
    HelmTimeout,
    /// Something of this machine failed.
    Again,
    /// Charts are not looked at.
    LookAtCharts,
}

impl Remedy {
    /// As a sentence without its full stop.
    pub fn text(self) -> &'static str {
        match self {
            Remedy::Change => {
                "add what is missing to the repository, or replace what is not evaluated: nothing renders it before"
            }
            Remedy::Render => "`pullthru charts lock` renders it where helm and the chart can be had",
            Remedy::RenderParent => {
                "`pullthru charts lock` renders the chart that renders it, and then this one"
            }
            Remedy::Circle => {
                "let one of these charts no longer render the next one: no render ends a circle"
            }
            Remedy::Depth => "deploy it by a file of the repository, or by a chart that is fewer levels deep",
            Remedy::ChartDir => "give a copy of the chart with `--chart-dir DIR`",
            Remedy::Fetch => "run once without `--offline`, or give the chart with `--chart-dir DIR`",
            Remedy::Version => {
                "name a chart and a version that are there, or give the chart with `--chart-dir DIR`"
            }
            Remedy::OtherChart => {
                "use another version of the chart, or give a copy of it with `--chart-dir DIR`"
            }
            Remedy::Values => "change the values that helm names: `helm template` ends with the same error",
            Remedy::HelmTimeout => "allow more time with `--helm-timeout`",
            Remedy::Again => "run again",
            Remedy::LookAtCharts => "leave `--charts off` out",
        }
    }
}
