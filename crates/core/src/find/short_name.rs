//! A Docker Hub name without a host, as it is written: `nginx:1.27`, `acme/web`.

use super::literal;
use crate::image::{Name, Reference};

/// A name without a host, and the tag or digest behind it, placeholders included.
pub(super) struct Short<'t> {
    pub(super) name: Name,
    pub(super) path: &'t str,
    pub(super) suffix: &'t str,
}

impl<'t> Short<'t> {
    /// `None` unless the text is such a name as a whole.
    pub(super) fn read(text: &'t str) -> Option<Short<'t>> {
        let (path, suffix) = text.split_at_checked(text.find([':', '@']).unwrap_or(text.len()))?;
        let reference = Reference::parse(path).ok().filter(Reference::is_short)?;
        let whole = literal::suffix(suffix).len() == suffix.len();
        // Istio's injector puts its own image in place of `auto`.
        (whole && !is_file(path) && path != "auto").then(|| Short { name: reference.name(), path, suffix })
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.suffix.is_empty()
    }
}

/// Pictures and disks, the other things that are called images.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "iso", "img", "qcow2", "raw", "vmdk", "ova", "tar",
    "gz", "xz", "zip", "bin", "wasm",
];

fn is_file(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| FILES.contains(&extension))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_host_is_read_whole_or_not_at_all() {
        for (text, name, suffix) in [
            ("nginx", "docker.io/library/nginx", ""),
            ("acme/web:${TAG}", "docker.io/acme/web", ":${TAG}"),
            ("acme/web:{{ .Values.tag }}@sha256:0", "docker.io/acme/web", ":{{ .Values.tag }}@sha256:0"),
        ] {
            let short = Short::read(text).unwrap();
            assert_eq!((short.name.to_string().as_str(), short.suffix), (name, suffix), "{text}");
        }
        for text in
            ["", "${IMAGE}", "ghcr.io/o/n:1", "nginx: 1", "two words", "three.png", "a:b:c", "acme/${X}:1"]
        {
            assert!(Short::read(text).is_none(), "{text}");
        }
    }
}
