//! What a chart is called: in the image lock, in messages, and where it is looked up by name.

use pullthru_core::releases::ChartRef;

/// As the image lock names it.
pub(crate) fn source(wanted: &ChartRef) -> String {
    match wanted {
        ChartRef::Oci { url, .. } => url.clone(),
        ChartRef::Http { repository, name, .. } => format!("{}/{name}", repository.trim_end_matches('/')),
        ChartRef::Local(path) => path.to_string(),
        ChartRef::Git { url, path, .. } => format!("{url}/{path}"),
        ChartRef::Named { name, .. } => name.clone(),
        ChartRef::Unknown => String::new(),
    }
}

/// For messages.
pub(crate) fn shown(wanted: &ChartRef) -> String {
    let version = match wanted {
        ChartRef::Oci { version, .. } | ChartRef::Http { version, .. } | ChartRef::Named { version, .. } => {
            format!(" {version}")
        }
        _ => String::new(),
    };
    format!("`{}{version}`", source(wanted))
}

pub(crate) fn last_part(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}
