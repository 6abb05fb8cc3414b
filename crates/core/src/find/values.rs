//! References that a chart's template joins from several keys. Key names are hints; values decide.

use super::context::Place;
use super::literal::{self, Literal};
use super::names::{is_image_key, words};
use super::prefix;
use super::site::{Form, Object, Obstacle, Shape};
use crate::image::{Name, has_placeholder, is_host, is_tag};
use crate::yaml::{NodeId, Slot, Span};

/// A split reference as far as the scalar with the host in it shows.
pub(super) struct Split {
    pub(super) form: Form,
    pub(super) name: Name,
    pub(super) suffix: String,
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
pub(super) fn suffix_beside(place: &Place<'_, '_>) -> String {
    let stem = stem(place.key());
    let other = |key: &str| !key.eq_ignore_ascii_case(place.key());
    let first = |keys: &[String]| {
        let mut keys = keys.iter().filter(|key| other(key));
        keys.find_map(|key| place.neighbour_text(key).map(str::to_owned))
    };
    let named = |word: &str| [format!("{stem}{word}"), word.to_owned(), format!("image{word}")];
    let mut suffix = String::new();
    let tag = first(&named("tag")).or_else(|| first(&["newTag".into(), "version".into()]));
    if let Some(tag) = tag.filter(|tag| is_suffix(tag)) {
        // Some charts take `tag: "@sha256:…"`.
        suffix = if tag.starts_with('@') { tag } else { format!(":{tag}") };
    }
    let digest = first(&named("digest")).or_else(|| first(&["sha".into(), "sha256".into()]));
    if let Some(digest) = digest.filter(|digest| is_digest(digest) && !suffix.contains('@')) {
        let algorithm = if digest.contains(':') { "" } else { "sha256:" };
        suffix.push_str(&format!("@{algorithm}{digest}"));
    }
    suffix
}

/// Is it a tag, or what a chart takes for one: `@sha256:…`, `v1@sha256:…`, a placeholder? A range of versions or a
/// reference of its own (kpack's `tag:`) is none.
pub(super) fn is_suffix(text: &str) -> bool {
    let tag = text.split('@').next().unwrap_or_default();
    tag.is_empty() || is_tag(tag) || has_placeholder(text)
}

/// Is it a digest, with or without its algorithm, or a placeholder? A reference of its own is none.
fn is_digest(text: &str) -> bool {
    let digits = text.split_once(':').map_or(text, |(_, digits)| digits);
    digits.chars().all(|c| c.is_ascii_alphanumeric()) || has_placeholder(text)
}

/// Does a key beside this one hold a tag or a digest that is one?
pub(super) fn has_tag_beside(place: &Place<'_, '_>) -> bool {
    let stem = stem(place.key());
    let keys = ["tag", "digest", "sha", "imageTag", "newTag"].map(str::to_owned);
    keys.into_iter().chain([format!("{stem}tag")]).any(|key| place.has_neighbour(&key))
}

/// Does a key beside this one hold the tag or the digest?
pub(super) fn has_suffix_beside(place: &Place<'_, '_>) -> bool {
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

/// What a bare host or a registry with a path means at its place; `None` when it is no part of a reference.
pub(super) fn registry(place: &Place<'_, '_>, literal: &Literal, span: Span) -> Option<Split> {
    let repository_key = place.key().to_ascii_lowercase().ends_with("repository");
    let host_only = repository_key && !literal.upstream_path().contains('/');
    let named = match literal.is_bare_host() {
        true => prefix::is_registry_name(place.key()),
        false => prefix::is_name(place.key()),
    };
    if !named && !host_only {
        return None;
    }
    if let Some(split) = joined(place, literal, span, repository_key) {
        return Some(split);
    }
    if repository_key {
        return None;
    }
    let distribution = place.kind() == "FluxInstance" || place.key_at(1) == "distribution";
    let form = match (distribution, literal.is_bare_host()) {
        (true, _) => Form::DistributionRegistry,
        (_, true) if !is_values(place) => return None,
        (_, true) => Form::LoneRegistry,
        (_, false) if holds_repository(place, literal) => {
            return Some(Split {
                form: Form::Split,
                name: literal.name.clone(),
                suffix: suffix_beside(place),
                shape: Shape::Name(span),
                obstacle: literal.obstacle,
            });
        }
        (_, false) => Form::RegistryPrefix,
    };
    Some(beginning(literal, span, form))
}

/// The registry with the repository that stands beside it.
fn joined(place: &Place<'_, '_>, literal: &Literal, span: Span, repository_key: bool) -> Option<Split> {
    let mut keys = repository_keys(place.key());
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
        let (path, own_suffix) = text.split_at(path_len);
        let first = path.split('/').next().unwrap_or("");
        let two = path.contains('/') && is_host(first);
        if !two && !literal::is_path(path) && !has_placeholder(path) {
            continue;
        }
        let repository =
            place.stream.content(id).and_then(|content| content.map.outer(Span::new(0, path_len)));
        if two {
            // One of the two is not used; which one, only the chart knows. The registry stays.
            let shape = Shape::Registry { span, path: literal.path.clone() };
            let name = Name { host: literal.name.host.clone(), path: literal.path.clone() };
            let obstacle = Some(Obstacle::TwoRegistries);
            return Some(Split { form: Form::LoneRegistry, name, suffix: String::new(), shape, obstacle });
        }
        let computed = has_placeholder(path).then_some(Obstacle::Computed);
        let obstacle = computed.or(literal.obstacle);
        return Some(Split {
            form: Form::RegistrySplit,
            name: joined_name(literal, path),
            suffix: if own_suffix.is_empty() { suffix_beside(place) } else { own_suffix.to_owned() },
            shape: Shape::Split {
                registry: span,
                repository,
                repository_text: path.to_owned(),
                shared: false,
            },
            obstacle,
        });
    }
    None
}

/// What the repository beside a registry under this key may be called.
pub(super) fn repository_keys(key: &str) -> Vec<String> {
    let stem = stem(key);
    let own =
        [format!("{stem}repository"), "repository".to_owned(), "image".to_owned(), format!("{stem}name")];
    own.into_iter().chain(["repo", "name", "imageName"].map(str::to_owned)).collect()
}

/// `image: {registry: ghcr.io/o/n, tag: v1}`: a full repository under the key of a registry. The mapping of one image
/// says so; elsewhere the tag belongs to what the registry is joined with (Istio's `hub` and `tag`).
fn holds_repository(place: &Place<'_, '_>, literal: &Literal) -> bool {
    let image = words(place.key_at(1)).last().is_some_and(|word| word == "image");
    let registry = words(place.key()).last().is_some_and(|word| word == "registry");
    image && registry && literal.upstream_path().contains('/') && has_suffix_beside(place)
}

/// The registry as a part of references that stand elsewhere.
pub(super) fn beginning(literal: &Literal, span: Span, form: Form) -> Split {
    Split {
        form,
        name: Name { host: literal.name.host.clone(), path: literal.path.clone() },
        suffix: String::new(),
        shape: Shape::Registry { span, path: literal.path.clone() },
        obstacle: literal.obstacle,
    }
}

/// A registry whose use nothing here shows.
pub(super) fn registry_alone(literal: &Literal, span: Span) -> Split {
    let split = beginning(literal, span, Form::LoneRegistry);
    Split { obstacle: split.obstacle.or(Some(Obstacle::RegistryAlone)), ..split }
}

/// A `repository` that names an image, by the mapping around it.
pub(super) fn is_repository_of_image(place: &Place<'_, '_>) -> bool {
    let around = place.key_at(1);
    let pulled = ["pullPolicy", "imagePullPolicy"].iter().any(|key| place.has_neighbour(key));
    let other = ["chart", "charts", "git", "source", "sourceRef", "dependencies", "[]"].contains(&around);
    let tagged = place.has_neighbour("tag") || place.has_neighbour("digest");
    let registry = place.neighbour_text("registry").is_some();
    let own = place.key().to_ascii_lowercase().starts_with("image");
    !registry && (is_image_key(around) || own || pulled || tagged && !other)
}

/// The name of what a scalar sets in the data of a ConfigMap or a Secret, or in a container's environment.
pub(super) fn name_of_setting<'p>(place: &'p Place<'_, '_>) -> Option<&'p str> {
    let data =
        ["ConfigMap", "Secret"].contains(&place.kind()) && ["data", "stringData"].contains(&place.key_at(1));
    if data {
        return Some(place.key());
    }
    let variable = place.key() == "value" && place.key_at(1) == "[]" && place.key_at(2) == "env";
    place.neighbour_text("name").filter(|_| variable)
}

/// The ConfigMap or Secret that a generator of a kustomization makes of a literal.
pub(super) fn generated(place: &Place<'_, '_>) -> Option<Object> {
    let kind = match (place.key(), place.key_at(1), place.key_at(3)) {
        ("[]", "literals", "configMapGenerator") => "ConfigMap",
        ("[]", "literals", "secretGenerator") => "Secret",
        _ => return None,
    };
    let generator = place.stream.ancestors(place.scalar).nth(2)?;
    let text = |key| place.stream.value(place.stream.get(generator, key)?).map(str::to_owned);
    Some(Object {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: text("namespace"),
        name: text("name"),
    })
}

/// The registry with the repository in another scalar, which is nothing but its path.
pub(super) fn joined_with(
    place: &Place<'_, '_>,
    registry: &Literal,
    span: Span,
    other: NodeId,
) -> Option<Split> {
    let path = place.stream.value(other).filter(|path| path.contains('/') && literal::is_path(path))?;
    let repository = place.stream.content(other)?.map.outer(Span::new(0, path.len()));
    Some(Split {
        form: Form::RegistrySplit,
        name: joined_name(registry, path),
        suffix: String::new(),
        shape: Shape::Split { registry: span, repository, repository_text: path.to_owned(), shared: false },
        obstacle: registry.obstacle,
    })
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

/// Argo CD's `helm.parameters` and helmfile's `set`: `image.registry` and `image.repository` are items of one list.
pub(super) fn parameter(place: &Place<'_, '_>, literal: &Literal, span: Span) -> Option<Split> {
    if !is_parameter(place) || !prefix::is_registry_name(last_step(place.neighbour_text("name")?)) {
        return None;
    }
    let alone = |obstacle| Split { obstacle, ..registry_alone(literal, span) };
    let Some(id) = REPOSITORIES.iter().find_map(|other| sibling_parameter(place, other)) else {
        return Some(alone(literal.obstacle));
    };
    let text = place.stream.value(id)?;
    let (path, own_suffix) = text.split_at(text.find([':', '@']).unwrap_or(text.len()));
    if path.contains('/') && is_host(path.split('/').next().unwrap_or("")) {
        // One of the two is not used; which one, only the chart knows. The registry stays.
        return Some(alone(Some(Obstacle::TwoRegistries)));
    }
    let computed = has_placeholder(path);
    if !literal::is_path(path) && !computed {
        return Some(alone(literal.obstacle));
    }
    let repository = place.stream.content(id)?.map.outer(Span::new(0, path.len()));
    Some(Split {
        form: Form::ArgoParameter,
        name: joined_name(literal, path),
        suffix: if own_suffix.is_empty() { parameter_suffix(place) } else { own_suffix.to_owned() },
        shape: Shape::Split { registry: span, repository, repository_text: path.to_owned(), shared: false },
        obstacle: literal.obstacle.or(computed.then_some(Obstacle::Computed)),
    })
}

/// Arguments of helm, `--set image.registry=…` and `--set image.repository=…`: it joins them. `before` is what stands
/// before the registry.
pub(super) fn set_argument(
    place: &Place<'_, '_>,
    before: &str,
    literal: &Literal,
    span: Span,
) -> Option<Split> {
    let parameter = set_value(place, place.scalar, before)?.strip_suffix('=')?;
    let stem = parameter.strip_suffix(last_step(parameter))?;
    if !prefix::is_registry_name(last_step(parameter)) {
        return None;
    }
    let stream = place.stream;
    let list = stream.ancestors(place.scalar).nth(1)?;
    let value = |name: &str| {
        let start = format!("{stem}{name}=");
        stream.items(list).iter().find_map(|&id| {
            let text = stream.value(id)?;
            let value = set_value(place, id, text)?.strip_prefix(&start)?;
            Some((id, text.len() - value.len(), value))
        })
    };
    let (id, at, text) = REPOSITORIES.iter().find_map(|name| value(name))?;
    let (path, own_suffix) = text.split_at(text.find([':', '@']).unwrap_or(text.len()));
    let host = path.contains('/') && is_host(path.split('/').next().unwrap_or_default());
    if host || !literal::is_path(path) {
        return None;
    }
    let tag = || value("tag").map(|(_, _, tag)| format!(":{tag}")).unwrap_or_default();
    let repository = stream.content(id)?.map.outer(Span::new(at, at + path.len()));
    Some(Split {
        form: Form::Argument,
        name: joined_name(literal, path),
        suffix: if own_suffix.is_empty() { tag() } else { own_suffix.to_owned() },
        shape: Shape::Split { registry: span, repository, repository_text: path.to_owned(), shared: false },
        obstacle: literal.obstacle,
    })
}

/// What an argument sets: behind `--set=`, or whole where the argument before it is `--set`.
fn set_value<'t>(place: &Place<'_, '_>, argument: NodeId, text: &'t str) -> Option<&'t str> {
    const FLAGS: [&str; 2] = ["--set", "--set-string"];
    let own = FLAGS.iter().find_map(|flag| text.strip_prefix(flag)?.strip_prefix('='));
    own.or_else(|| {
        let node = place.stream.node(argument)?;
        let Slot::Item(index) = node.slot else { return None };
        let before = place.stream.items(node.parent?).get(index.checked_sub(1)?)?;
        FLAGS.contains(&place.stream.value(*before)?).then_some(text)
    })
}

/// What stands beside a registry, in the order of preference.
const REPOSITORIES: &[&str] = &["repository", "image", "name"];

/// The tag of the parameters beside this one.
pub(super) fn parameter_suffix(place: &Place<'_, '_>) -> String {
    let text = |key| {
        sibling_parameter(place, key).and_then(|id| place.stream.value(id)).filter(|text| !text.is_empty())
    };
    let tag = text("tag").map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = text("digest").map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{tag}{digest}")
}

/// Is there a parameter for the registry beside this one?
pub(super) fn has_registry_parameter(place: &Place<'_, '_>) -> bool {
    sibling_parameter(place, "registry")
        .is_some_and(|id| place.stream.value(id).is_some_and(|text| !text.is_empty()))
}

/// `{name: image.repository, value: …}` in a list of such.
pub(super) fn is_parameter(place: &Place<'_, '_>) -> bool {
    let list = place.key_at(2);
    place.key() == "value"
        && place.key_at(1) == "[]"
        && (list == "parameters" && place.under("helm") || list == "set" && place.object.is_none())
}

fn last_step(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The value of the parameter that differs from this one in the last step of its name.
fn sibling_parameter(place: &Place<'_, '_>, other: &str) -> Option<NodeId> {
    if !is_parameter(place) {
        return None;
    }
    let name = place.neighbour_text("name")?;
    let wanted = format!("{}{other}", name.strip_suffix(last_step(name))?);
    let list = place.stream.ancestors(place.scalar).nth(2)?;
    let item = place.stream.item_named(list, &wanted)?;
    place.stream.get(item, "value")
}
