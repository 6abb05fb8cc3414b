//! References that a chart's template joins from several keys. Key names are hints; values decide.

use super::literal::{self, Literal};
use super::place::Place;
use super::site::{Form, Obstacle, Shape};
use crate::image::{Name, is_host};
use crate::yaml::{NodeId, Span};

/// A split reference as far as the scalar with the host in it tells.
pub(super) struct Split {
    pub(super) form: Form,
    pub(super) name: Name,
    pub(super) tail: String,
    pub(super) shape: Shape,
    pub(super) obstacle: Option<Obstacle>,
}

/// Are these Helm values, in whatever they are wrapped?
pub(super) fn is_values(place: &Place<'_, '_>) -> bool {
    place.object.is_none()
        || place.outer.inside.is_some()
        || ["values", "valuesObject", "valuesInline", "substitute"].iter().any(|key| place.under(key))
}

/// The tag and digest that stand beside a name: `tag: v1`, `imageTag`, `digest: sha256:…`, `sha: …`.
pub(super) fn tail_beside(place: &Place<'_, '_>) -> String {
    let stem = stem(place.key());
    let first = |keys: &[String]| keys.iter().find_map(|key| place.neighbour_text(key).map(str::to_owned));
    let named = |word: &str| [format!("{stem}{word}"), word.to_owned(), format!("image{word}")];
    let mut tail = String::new();
    let tag = first(&named("tag")).or_else(|| first(&["newTag".into(), "version".into()]));
    if let Some(tag) = tag {
        // Some charts take `tag: "@sha256:…"`.
        tail = if tag.starts_with('@') { tag } else { format!(":{tag}") };
    }
    let digest = first(&named("digest")).or_else(|| first(&["sha".into(), "sha256".into()]));
    if let Some(digest) = digest.filter(|_| !tail.contains('@')) {
        let algorithm = if digest.contains(':') { "" } else { "sha256:" };
        tail.push_str(&format!("@{algorithm}{digest}"));
    }
    tail
}

/// Does a key beside this one hold the tag or the digest?
pub(super) fn has_tail_beside(place: &Place<'_, '_>) -> bool {
    let stem = stem(place.key());
    ["tag", "digest", "sha"]
        .iter()
        .any(|word| place.has_neighbour(word) || place.has_neighbour(&format!("{stem}{word}")))
}

/// `imageRegistry` → `image`, `repository` → nothing.
fn stem(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    ["registry", "repository", "name", "hub"]
        .iter()
        .find_map(|word| lower.strip_suffix(word))
        .unwrap_or_default()
        .to_owned()
}

/// Does a key of this name hold a registry that is joined with repositories?
pub(super) fn is_registry_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase().replace(['-', '_'], "");
    lower.ends_with("registry") || lower == "hub" || lower == "registryhost" || lower == "registryprefix"
}

/// What a bare host or a registry with a path means at its place; `None` when it is no part of a reference.
pub(super) fn registry(place: &Place<'_, '_>, literal: &Literal, span: Span) -> Option<Split> {
    let repository_key = place.key().to_ascii_lowercase().ends_with("repository");
    let host_only = repository_key && !literal.path.contains('/');
    if !is_registry_key(place.key()) && !host_only {
        return None;
    }
    if let Some(split) = joined(place, literal, span, repository_key) {
        return Some(split);
    }
    if repository_key {
        return None;
    }
    let distribution = place.kind() == "FluxInstance" || place.key_at(1) == "distribution";
    if !distribution && !is_values(place) {
        return None;
    }
    let form = match (distribution, literal.is_bare_host()) {
        (true, _) => Form::DistributionRegistry,
        (_, true) => Form::LoneRegistry,
        // `registry:` may hold the full repository: then the tag stands beside it.
        (_, false) if has_tail_beside(place) && components(literal) > 1 => {
            return Some(Split {
                form: Form::Split,
                name: literal.name.clone(),
                tail: tail_beside(place),
                shape: Shape::Name(span),
                obstacle: literal.obstacle,
            });
        }
        (_, false) => Form::RegistryPrefix,
    };
    Some(Split {
        form,
        name: Name { host: literal.name.host.clone(), path: literal.path.clone() },
        tail: String::new(),
        shape: Shape::Registry { span, path: literal.path.clone() },
        obstacle: literal.obstacle,
    })
}

/// How many components the upstream's path has: an organisation alone is no repository.
fn components(literal: &Literal) -> usize {
    literal.path.split('/').count() - usize::from(literal.cached)
}

/// The registry with the repository that stands beside it.
fn joined(place: &Place<'_, '_>, literal: &Literal, span: Span, repository_key: bool) -> Option<Split> {
    let stem = stem(place.key());
    let mut keys =
        vec![format!("{stem}repository"), "repository".to_owned(), "image".to_owned(), format!("{stem}name")];
    keys.extend(["name".to_owned(), "imageName".to_owned()]);
    if repository_key {
        keys.retain(|key| !key.ends_with("repository"));
    }
    for key in keys {
        let Some(id) = place.neighbour(&key).filter(|&id| id != place.scalar) else { continue };
        let Some(text) = place.neighbour_text(&key) else { continue };
        // `name` is mostly the name of something else; a path is not.
        if key.ends_with("name") && literal.is_bare_host() && !text.contains('/') {
            continue;
        }
        let path_len = text.find([':', '@']).unwrap_or(text.len());
        let (path, own_tail) = text.split_at(path_len);
        let first = path.split('/').next().unwrap_or("");
        let two = path.contains('/') && is_host(first);
        if !two && !literal::is_path(path) && !literal::has_placeholder(path) {
            continue;
        }
        let node = place.stream.node(id)?;
        let content = place.stream.content(id).and_then(|content| content.map.outer(Span::new(0, path_len)));
        let repository = content.unwrap_or(Span::new(node.span.start, node.span.start));
        if two {
            // One of the two is not used; which one, only the chart knows. The registry stays.
            let shape = Shape::Registry { span, path: literal.path.clone() };
            let name = Name { host: literal.name.host.clone(), path: literal.path.clone() };
            let obstacle = Some(Obstacle::TwoRegistries);
            return Some(Split { form: Form::LoneRegistry, name, tail: String::new(), shape, obstacle });
        }
        let computed = literal::has_placeholder(path).then_some(Obstacle::Computed);
        let obstacle = computed.or(literal.obstacle);
        return Some(Split {
            form: Form::RegistrySplit,
            name: joined_name(literal, path),
            tail: if own_tail.is_empty() { tail_beside(place) } else { own_tail.to_owned() },
            shape: Shape::Split { registry: span, repository, repository_text: path.to_owned() },
            obstacle,
        });
    }
    None
}

/// What a registry and the repository beside it name together.
pub(super) fn joined_name(registry: &Literal, repository: &str) -> Name {
    let path = if registry.path.is_empty() {
        repository.to_owned()
    } else {
        format!("{}/{repository}", registry.path)
    };
    Name::of(Some(&registry.name.host), &path)
}

/// Argo CD's `helm.parameters`: `image.registry` and `image.repository` are items of one list.
pub(super) fn parameter(place: &Place<'_, '_>, literal: &Literal, span: Span) -> Option<Split> {
    let id = sibling_parameter(place, "registry", "repository")?;
    let path = place.stream.value(id)?;
    if !literal::is_path(path) {
        return None;
    }
    let repository = place.stream.content(id)?.map.outer(Span::new(0, path.len())).unwrap_or_default();
    Some(Split {
        form: Form::ArgoParameter,
        name: joined_name(literal, path),
        tail: parameter_tail(place, "registry"),
        shape: Shape::Split { registry: span, repository, repository_text: path.to_owned() },
        obstacle: literal.obstacle,
    })
}

/// The tag of the parameter beside the one that ends in `own`.
pub(super) fn parameter_tail(place: &Place<'_, '_>, own: &str) -> String {
    let tag = sibling_parameter(place, own, "tag").and_then(|id| place.stream.value(id));
    tag.map(|tag| format!(":{tag}")).unwrap_or_default()
}

/// The value of the parameter named like this one, but ending in `other` instead of `own`.
fn sibling_parameter(place: &Place<'_, '_>, own: &str, other: &str) -> Option<NodeId> {
    if place.key() != "value" || place.key_at(2) != "parameters" || !place.under("helm") {
        return None;
    }
    let wanted = format!("{}{other}", place.neighbour_text("name")?.strip_suffix(own)?);
    let list = place.stream.ancestors(place.scalar).nth(2)?;
    let named = |item: &&NodeId| {
        place.stream.get(**item, "name").and_then(|name| place.stream.value(name)) == Some(wanted.as_str())
    };
    place.stream.get(*place.stream.items(list).iter().find(named)?, "value")
}
