//! Files of workstations, builds, CI and copy tools: none of their images is one of the cluster. Those with an API
//! group are recognized by it, the others by the shape of the file, whatever it is called; objects of Kubernetes within
//! them (an Ansible task that applies a Deployment) are the cluster's all the same.

use std::collections::HashMap;

use super::{Fields, is_group};
use crate::find::context::Place;
use crate::find::site::IgnoreReason;
use crate::yaml::{Kind, NodeId, Stream};

/// Files that look like objects of Kubernetes.
const OBJECTS: &[(Fields, IgnoreReason)] = &[
    (("kind.x-k8s.io", &[], &[]), IgnoreReason::Workstation),
    (("k3d.io", &[], &[]), IgnoreReason::Workstation),
    (("ctlptl.dev", &[], &[]), IgnoreReason::Workstation),
    (("skaffold", &[], &[]), IgnoreReason::BuildTool), // `apiVersion: skaffold/v4beta11`
    (("garden.io", &[], &[]), IgnoreReason::BuildTool),
    (("kbld.k14s.io", &[], &[]), IgnoreReason::BuildTool),
    (("vendir.k14s.io", &[], &[]), IgnoreReason::BuildTool),
    (("kuttl.dev", &[], &[]), IgnoreReason::Test),
    (("chainsaw.kyverno.io", &[], &[]), IgnoreReason::Test),
];

/// What a file of a tool has at its root: all of these keys, and under the first of them one of the marks (none: any).
struct Shape {
    /// `[]` behind the first says that it is a list.
    keys: &'static [&'static str],
    /// Keys of an item of the list, or of the mapping.
    marks: &'static [&'static str],
    reason: IgnoreReason,
}

const fn shape(keys: &'static [&'static str], marks: &'static [&'static str], reason: IgnoreReason) -> Shape {
    Shape { keys, marks, reason }
}

const SHAPES: &[Shape] = &[
    // Workstations.
    shape(&["schemaVersion", "components"], &[], IgnoreReason::Workstation), // devfile.io
    shape(&["repos[]"], &["hooks"], IgnoreReason::Workstation),              // pre-commit.com
    // Builds.
    shape(&["project", "configVersion"], &[], IgnoreReason::BuildTool), // werf.io
    shape(&["specVersion", "runtime"], &[], IgnoreReason::BuildTool),   // knative.dev, func.yaml
    shape(&["functions", "provider"], &[], IgnoreReason::BuildTool),    // openfaas.com, serverless.com
    shape(&["mixins", "install"], &[], IgnoreReason::BuildTool),        // porter.sh
    shape(&["dockers", "builds"], &[], IgnoreReason::BuildTool),        // goreleaser.com
    shape(&["kos", "builds"], &[], IgnoreReason::BuildTool),
    // CI.
    shape(&["phases", "version"], &["install", "pre_build", "build", "post_build"], IgnoreReason::Ci), // AWS CodeBuild
    shape(&["jobs", "on"], &[], IgnoreReason::Ci), // GitHub, Gitea
    shape(&["runs"], &["using"], IgnoreReason::Ci),
    shape(&["jobs", "workflows"], &[], IgnoreReason::Ci), // CircleCI
    shape(&["jobs", "orbs"], &[], IgnoreReason::Ci),
    shape(&["jobs[]", "resources"], &["plan"], IgnoreReason::Ci), // Concourse
    shape(&["steps", "pool"], &[], IgnoreReason::Ci),             // Azure
    shape(&["jobs", "pool"], &[], IgnoreReason::Ci),
    shape(&["stages", "pool"], &[], IgnoreReason::Ci),
    shape(&["jobs", "trigger"], &[], IgnoreReason::Ci),
    shape(&["stages", "trigger"], &[], IgnoreReason::Ci),
    shape(&["resources", "trigger"], &["containers", "repositories", "pipelines"], IgnoreReason::Ci),
    shape(&["blocks", "agent"], &[], IgnoreReason::Ci), // Semaphore
    shape(&["steps[]"], &["plugins", "wait", "block", "artifact_paths"], IgnoreReason::Ci), // Buildkite
    shape(&["steps[]"], &["commands", "settings"], IgnoreReason::Ci), // Woodpecker
    shape(&["steps[]", "images"], &["name"], IgnoreReason::Ci), // Google Cloud Build
    shape(&["updates[]", "version"], &["package-ecosystem"], IgnoreReason::Renovate), // Dependabot
    // Tests.
    shape(&["tests[]"], &["asserts"], IgnoreReason::Test), // helm-unittest
    shape(&["commandTests", "schemaVersion"], &[], IgnoreReason::Test),
    // Copies.
    shape(&["sync[]"], &["target"], IgnoreReason::Copy), // regclient.org, regsync
    shape(&["scripts[]", "creds"], &["script"], IgnoreReason::Copy), // regbot
    shape(&["tasks[]"], &["mappings"], IgnoreReason::Copy), // github.com/xelalexv/dregsy
    shape(&["sources[]", "target"], &["repository"], IgnoreReason::Copy), // github.com/plexsystems/sinker
    shape(&["source", "target", "charts"], &["repo"], IgnoreReason::Copy), // github.com/bitnami/charts-syncer
];

/// Files with a `kind` and no `apiVersion`.
const KINDS: &[(&str, IgnoreReason)] = &[
    ("pipeline", IgnoreReason::Ci),            // Drone
    ("ZarfPackageConfig", IgnoreReason::Copy), // zarf.dev
    ("ZarfInitConfig", IgnoreReason::Copy),
    ("UDSBundle", IgnoreReason::Copy),
];

/// compose-spec.io: nothing else stands at the root of a Compose file.
const COMPOSE_ROOT: &[&str] =
    &["name", "version", "services", "networks", "volumes", "configs", "secrets", "include"];

/// compose-spec.io, services, of which Helm values have few.
const COMPOSE_SERVICE: &[&str] = &[
    "image",
    "build",
    "ports",
    "expose",
    "environment",
    "env_file",
    "volumes",
    "command",
    "entrypoint",
    "depends_on",
    "restart",
    "networks",
    "network_mode",
    "container_name",
    "hostname",
    "healthcheck",
    "labels",
    "logging",
    "deploy",
    "develop",
    "profiles",
    "platform",
    "privileged",
    "user",
    "working_dir",
    "cap_add",
    "cap_drop",
    "devices",
    "dns",
    "extra_hosts",
    "init",
    "ipc",
    "pid",
    "links",
    "external_links",
    "security_opt",
    "shm_size",
    "stdin_open",
    "tty",
    "stop_signal",
    "stop_grace_period",
    "sysctls",
    "tmpfs",
    "ulimits",
    "secrets",
    "configs",
    "extends",
    "pull_policy",
    "runtime",
    "scale",
    "read_only",
    "mem_limit",
    "cpus",
    "group_add",
    "domainname",
    "annotations",
    "attach",
    "userns_mode",
    "gpus",
];

/// The reasons of the documents of a stream, each found out once.
#[derive(Default)]
pub(in crate::find) struct Tools {
    known: HashMap<NodeId, Option<IgnoreReason>>,
    /// The first document speaks for those behind it (werf).
    all: Option<IgnoreReason>,
}

impl Tools {
    /// The reason of the document around a scalar.
    pub(in crate::find) fn of(
        &mut self,
        stream: &Stream<'_>,
        scalar: NodeId,
        in_values: bool,
    ) -> Option<IgnoreReason> {
        let root = stream.ancestors(scalar).last().filter(|&root| root != scalar)?;
        if self.known.is_empty() && stream.documents.len() > 1 {
            let first = stream.documents.first().and_then(|document| document.root);
            let reason = first.and_then(|first| of_root(stream, first));
            self.all = reason.filter(|reason| *reason == IgnoreReason::BuildTool && !in_values);
        }
        let all = self.all;
        *self.known.entry(root).or_insert_with(|| match of_root(stream, root) {
            // Values may have any keys.
            Some(_) if in_values => None,
            Some(reason) => Some(reason),
            None => all.filter(|_| !is_object(stream, root)),
        })
    }
}

/// The reason of the place's file, unless an object of Kubernetes stands between.
pub(super) fn reason(place: &Place<'_, '_>) -> Option<IgnoreReason> {
    let of_object = place.object.is_some().then(|| {
        let mut objects = OBJECTS.iter();
        objects.find(|((group, ..), _)| is_group(place.group(), group)).map(|(_, reason)| *reason)
    });
    of_object.flatten().or(place.tool.filter(|_| place.object_node.is_none()))
}

fn is_object(stream: &Stream<'_>, root: NodeId) -> bool {
    stream.get(root, "apiVersion").is_some() && stream.get(root, "kind").is_some()
}

fn of_root(stream: &Stream<'_>, root: NodeId) -> Option<IgnoreReason> {
    if is_object(stream, root) {
        return None;
    }
    if let Some(first) = stream.items(root).first() {
        return is_ansible(stream, *first).then_some(IgnoreReason::Workstation);
    }
    let kind = stream.get(root, "kind").and_then(|id| stream.value(id)).unwrap_or_default();
    let by_kind = KINDS.iter().find(|(name, _)| *name == kind).map(|(_, reason)| *reason);
    let mut shapes = SHAPES.iter();
    by_kind
        .or_else(|| shapes.find(|shape| is_shape(stream, root, shape)).map(|shape| shape.reason))
        .or_else(|| is_gitlab(stream, root).then_some(IgnoreReason::Ci))
        .or_else(|| is_compose(stream, root).then_some(IgnoreReason::Compose))
}

/// More items are not looked at.
const MAX_ITEMS: usize = 100;

fn is_shape(stream: &Stream<'_>, root: NodeId, shape: &Shape) -> bool {
    let get = |key: &str| stream.get(root, key.trim_end_matches("[]"));
    if !shape.keys.iter().all(|key| get(key).is_some()) {
        return false;
    }
    let Some((name, first)) = shape.keys.first().and_then(|key| Some((key, get(key)?))) else { return false };
    if name.ends_with("[]") && stream.items(first).is_empty() {
        return false;
    }
    let has_mark = |at: NodeId| shape.marks.iter().any(|mark| stream.get(at, mark).is_some());
    shape.marks.is_empty()
        || has_mark(first)
        || stream.items(first).iter().take(MAX_ITEMS).any(|&item| has_mark(item))
}

/// docs.gitlab.com/ci/yaml: `stages`, and jobs with a `script`.
fn is_gitlab(stream: &Stream<'_>, root: NodeId) -> bool {
    let mut values = stream.entries(root).iter().take(MAX_ITEMS).map(|(_, value)| *value);
    stream.get(root, "stages").is_some_and(|stages| !stream.items(stages).is_empty())
        && values.any(|job| stream.get(job, "script").is_some())
}

/// A play, or a list of tasks with a container module (docs.ansible.com).
fn is_ansible(stream: &Stream<'_>, first: NodeId) -> bool {
    let has = |key: &str| stream.get(first, key).is_some();
    let modules = ["community.", "ansible.", "containers.podman.", "docker_", "podman_"];
    let module = |key: &str| modules.iter().any(|start| key.starts_with(start));
    let mut keys = stream.entries(first).iter().filter_map(|(key, _)| stream.value(*key));
    has("hosts") && ["tasks", "roles", "pre_tasks", "handlers", "vars"].iter().any(|key| has(key))
        || keys.any(module)
}

fn is_compose(stream: &Stream<'_>, root: NodeId) -> bool {
    let key = |key: &NodeId| stream.value(*key).unwrap_or_default().to_owned();
    let known = |at: NodeId, names: &[&str]| {
        let mut keys = stream.entries(at).iter().map(|(id, _)| key(id));
        keys.all(|key| names.contains(&key.as_str()) || key.starts_with("x-") || key == "<<")
    };
    let Some(services) = stream.get(root, "services").filter(|_| known(root, COMPOSE_ROOT)) else {
        return false;
    };
    let services: Vec<NodeId> = stream.entries(services).iter().map(|(_, service)| *service).collect();
    let scalar = |at: NodeId, key: &str| {
        let value = stream.get(at, key).and_then(|id| stream.node(id));
        value.is_some_and(|node| matches!(node.kind, Kind::Scalar { .. }))
    };
    let runs = |&at: &NodeId| scalar(at, "image") || stream.get(at, "build").is_some();
    !services.is_empty()
        && services.iter().any(runs)
        && services.iter().all(|&service| {
            let mapping = stream.node(service).is_some_and(|node| matches!(node.kind, Kind::Mapping { .. }));
            mapping && known(service, COMPOSE_SERVICE)
        })
}
