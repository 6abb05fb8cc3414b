//! Registries and the beginnings of names: `hub: docker.io/istio`, `IMAGE_PREFIX=ghcr.io/acme`. A program joins them
//! with repositories of its own, so that none of them is an image, whatever stands beside it.

use super::context::Place;
use super::names::words;

/// The last word of names for a registry.
const REGISTRY: &[&str] = &["registry", "hub"];

/// The last word of names for the beginning of a name, behind another word: `IMAGE_PREFIX`, `imageOrg`.
const BEGINNING: &[&str] = &["prefix", "namespace", "org", "organization", "organisation"];

/// The last word behind one of [`ABOUT`]: `registryHost`, `REGISTRY_URL`.
const OF_REGISTRY: &[&str] =
    &["host", "hostname", "url", "server", "address", "domain", "base", "root", "path", "endpoint", "prefix"];

/// What registries are called that ECR can cache.
const UPSTREAMS: &[&str] = &["quay", "ghcr", "dockerhub", "docker", "gitlab", "gcr", "acr", "ecr", "k8s"];

const ABOUT: &[&str] = &["registry", "hub", "registries"];

/// Is it the name (of a key, a variable, a flag or a parameter) of a registry or of the beginning of names?
pub(super) fn is_name(name: &str) -> bool {
    let words = words(name);
    let Some((last, before)) = words.split_last() else { return false };
    is_registry_word(last)
        || last == "mirror"
        || last.ends_with("prefix") && last != "prefix"
        || BEGINNING.contains(&last.as_str()) && !before.is_empty()
        || OF_REGISTRY.contains(&last.as_str()) && is_about_registry(before)
}

/// Is it the name of a registry, which may be a host alone?
pub(super) fn is_registry_name(name: &str) -> bool {
    let words = words(name);
    let Some((last, before)) = words.split_last() else { return false };
    is_registry_word(last) || OF_REGISTRY.contains(&last.as_str()) && is_about_registry(before)
}

/// Does a setting of this name hold a registry that a program composes images with, not one that it compares, pushes
/// to or logs in to?
pub(super) fn is_setting(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let others = ["allow", "deny", "mirror", "insecure", "trusted", "push", "login", "target"];
    (is_registry_name(name) || is_of_upstream(name)) && !others.iter().any(|word| lower.contains(word))
}

/// `QUAY_URL`, `ghcrHost`: where an upstream is, by its own name.
fn is_of_upstream(name: &str) -> bool {
    let words = words(name);
    let Some((last, before)) = words.split_last() else { return false };
    OF_REGISTRY.contains(&last.as_str()) && before.iter().any(|word| UPSTREAMS.contains(&word.as_str()))
}

/// `registry`, or one word: `jnlpregistry`, `registryhost`.
fn is_registry_word(word: &str) -> bool {
    REGISTRY.contains(&word)
        || word.ends_with("registry")
        || ["registryhost", "registryprefix"].contains(&word)
}

fn is_about_registry(before: &[String]) -> bool {
    before.iter().any(|word| ABOUT.contains(&word.as_str()))
}

/// Is it named so by the flag before it, or by the `name` beside a `value`?
pub(super) fn is_named_so(place: &Place<'_, '_>, before: &str) -> bool {
    match before.strip_suffix('=') {
        Some(flag) => is_name(flag),
        None => place.key() == "value" && place.neighbour_text("name").is_some_and(is_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_registries_are_known_by_their_words() {
        let registries = [
            "hub",
            "registry",
            "imageRegistry",
            "jnlpregistry",
            "global.imageRegistry",
            "IMAGE_PREFIX",
            "--image-registry",
            "registryHost",
            "CONTAINER_REGISTRY_URL",
            "dockerHub",
            "imageNamespace",
            "registryhost",
            "mirror",
            "imageMirror",
        ];
        for name in registries {
            assert!(is_name(name), "{name}");
        }
        for name in ["image", "repository", "githubToken", "chub", "host", "url", "path", "name", "organizer"]
        {
            assert!(!is_name(name), "{name}");
        }
    }
}
