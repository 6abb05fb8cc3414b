//! Logins of registries: `imagePullSecrets` of pods and values, and the Secrets that hold them, for `pullthru check`;
//! credentials of Flux's sources are among the policies.

use super::blank;
use super::context;
use super::file_kind::FileClass;
use super::parsed::Parsed;
use super::site::Object;
use crate::image::fold_host;
use crate::tree::Position;
use crate::yaml::{self, Kind, NodeId, Span, Stream};

/// Files without any of these name no login.
pub(super) const SIGNS: [&str; 2] = ["imagePullSecrets", "dockerconfigjson"];

/// An entry of `imagePullSecrets`, which kubelet takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSecret {
    pub object: Object,
    /// Of the Secret.
    pub name: String,
    /// Of the object that it is a part of.
    pub within: Span,
    /// The texts of its fields `image`.
    pub images: Vec<String>,
    pub span: Span,
    pub position: Position,
}

impl PullSecret {
    /// Is it for pods in other documents?
    pub fn is_of_account(&self) -> bool {
        self.object.kind == "ServiceAccount"
    }
}

/// A Secret with logins that are readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryLogin {
    pub name: String,
    pub namespace: Option<String>,
    /// Of its `auths`, in the form of references.
    pub hosts: Vec<String>,
}

/// What a file says about logins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    pub used: Vec<PullSecret>,
    pub held: Vec<RegistryLogin>,
}

pub(super) fn read(class: FileClass, objects: &Parsed<'_>) -> Logins {
    let mut logins = Logins::default();
    if !matches!(class, FileClass::Manifest) || !may_hold_logins(objects.text) {
        return logins;
    }
    let stream = objects.stream();
    for root in context::object_roots(stream) {
        let Some(object) = context::object_at(stream, root) else { continue };
        match object.kind.as_str() {
            "Secret" => logins.held.extend(login(stream, root, &object)),
            "ExternalSecret" => logins.held.extend(templated(stream, root, &object)),
            _ => logins.used.extend(pull_secrets(stream, root, &object)),
        }
    }
    logins
}

/// Values of charts have no objects: theirs are in what the charts render.
fn may_hold_logins(text: &str) -> bool {
    SIGNS.iter().any(|sign| text.contains(sign)) && text.contains("apiVersion")
}

fn pull_secrets(stream: &Stream<'_>, root: NodeId, object: &Object) -> Vec<PullSecret> {
    let (mut names, mut images) = (Vec::new(), Vec::new());
    walk(stream, root, &mut names, &mut images);
    let span = |id: NodeId| stream.node(id).map(|node| node.span);
    let secret = |name: &NodeId| {
        Some(PullSecret {
            object: object.clone(),
            name: stream.value(*name)?.to_owned(),
            within: span(root)?,
            images: images.clone(),
            span: span(*name)?,
            position: Position::START,
        })
    };
    names.iter().filter_map(secret).collect()
}

fn walk(stream: &Stream<'_>, at: NodeId, names: &mut Vec<NodeId>, images: &mut Vec<String>) {
    match stream.node(at).map(|node| &node.kind) {
        Some(Kind::Mapping { entries, .. }) => {
            for &(key, value) in entries {
                match (stream.value(key), stream.value(value)) {
                    (Some("imagePullSecrets"), _) => {
                        names.extend(stream.items(value).iter().filter_map(|item| stream.get(*item, "name")));
                    }
                    (Some("image"), Some(image)) => images.push(image.to_owned()),
                    _ => walk(stream, value, names, images),
                }
            }
        }
        Some(Kind::Sequence { items, .. }) => {
            items.iter().for_each(|item| walk(stream, *item, names, images))
        }
        _ => {}
    }
}

/// Logins in `stringData`: those of `data` are encoded, and encrypted more often than not.
fn login(stream: &Stream<'_>, root: NodeId, object: &Object) -> Option<RegistryLogin> {
    let text = stream.value(stream.get_path(root, &["stringData", ".dockerconfigjson"])?)?;
    let (name, namespace) = (object.name.clone()?, object.namespace.clone());
    Some(RegistryLogin { name, namespace, hosts: hosts(text)? })
}

/// The Secret that an ExternalSecret makes (external-secrets.io, `spec.target.template`): its text names the registries, and takes
/// the passwords from elsewhere.
fn templated(stream: &Stream<'_>, root: NodeId, object: &Object) -> Option<RegistryLogin> {
    let at = |path: &[&str]| stream.value(stream.get_path(root, path)?);
    let text = at(&["spec", "target", "template", "data", ".dockerconfigjson"])?;
    let name = at(&["spec", "target", "name"]).map(str::to_owned).or_else(|| object.name.clone())?;
    let hosts = hosts(&blank::blanked(text))?;
    // A registry that is put in, too, is not known.
    let is_host = |host: &String| host.contains('.') || host.starts_with("localhost");
    let is_known = !text_of_keys(text) && hosts.iter().all(is_host);
    is_known.then(|| RegistryLogin { name, namespace: object.namespace.clone(), hosts })
}

/// Is a key of a text put in by a template?
fn text_of_keys(text: &str) -> bool {
    let behind =
        |at: usize| text.get(at + 2..).unwrap_or_default().trim_start_matches([' ', '"', '\'', '\\']);
    text.match_indices("}}").any(|(at, _)| behind(at).starts_with(':'))
}

fn hosts(text: &str) -> Option<Vec<String>> {
    let json = yaml::parse_without_comments(text);
    let auths = json.get(json.documents.iter().find_map(|document| document.root)?, "auths")?;
    Some(json.entries(auths).iter().filter_map(|(key, _)| json.value(*key)).map(host).collect())
}

/// The host of a key of `auths`: `https://index.docker.io/v1/`.
fn host(key: &str) -> String {
    let key = key.trim_start_matches("https://").trim_start_matches("http://");
    fold_host(key.split('/').next().unwrap_or(key))
}
