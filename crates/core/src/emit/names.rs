//! Names of the objects that are written: a pure function of the image, so that no other image that comes or goes
//! ever renames an object.
//!
//! `ghcr.io/amerintlxperts/my-app` becomes `ghcr-io.amerintlxperts.my-app`: the host's dots become dashes, slashes
//! become dots, and the upstream's name is used whatever is scanned. Two images can then only have the same name
//! when one of them has a `.` or `_` in its path, a `-` or a port in its host, or is too long (its end is kept): such
//! a name always ends in a hash of the image. Images of another cache than the repository's first begin with their target.

use crate::image::Name;

/// What Kubernetes takes as the value of a label, so that the name may become one.
const MAX: usize = 63;

/// The name of the objects of an image. `target` is empty for the cache of the whole repository.
pub fn object_name(upstream: &Name, target: &str) -> String {
    let plain = |text: &str, also: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte))
    };
    let exact = plain(&upstream.host, b".") && plain(&upstream.path, b"/-") && slug(target) == target;
    let name = readable(upstream, target);
    if exact && name.len() <= MAX { name } else { hashed_name(upstream, target) }
}

/// The name that is nobody else's, whatever the other images are called.
pub(crate) fn hashed_name(upstream: &Name, target: &str) -> String {
    let hash = format!("{:08x}", fold(&format!("{target}\n{upstream}")));
    let name = readable(upstream, target);
    // The end says most. All of it is ASCII by now.
    let start = name.len().saturating_sub(MAX - 1 - hash.len());
    let mut end = name.get(start..).unwrap_or_default();
    if start > 0
        && let Some((_, whole)) = end.split_once('.')
    {
        end = whole;
    }
    format!("{}-{hash}", end.trim_start_matches(['-', '.']))
}

/// The name of one policy among several of an image, whose objects are called `object`.
pub(super) fn line_name(object: &str, label: &str) -> String {
    let name = format!("{object}.{label}");
    if name.len() <= MAX {
        return name;
    }
    let hash = format!("{:08x}", fold(&name));
    let kept = object.get(..MAX - 1 - hash.len()).unwrap_or(object).trim_end_matches(['-', '.']);
    format!("{kept}-{hash}")
}

fn readable(upstream: &Name, target: &str) -> String {
    let parts = [target, &upstream.host].into_iter().chain(upstream.path.split('/'));
    let parts: Vec<String> = parts.map(slug).filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

/// Lower-case letters and digits, everything else a dash, none at the ends.
pub(super) fn slug(text: &str) -> String {
    let dashed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let out: String = text.chars().flat_map(char::to_lowercase).map(dashed).collect();
    out.trim_matches('-').to_owned()
}

/// FNV-1a, folded to 32 bits: the same on every machine and in every release, which the standard library's hashes
/// do not promise.
fn fold(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 32) as u32 ^ (hash & 0xffff_ffff) as u32
}
