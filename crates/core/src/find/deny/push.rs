//! What is pushed to: ECR refuses pushes below the prefix of a pull through cache rule.

use super::{Fields, is_one_of};
use crate::find::context::Place;
use crate::find::names::words;

/// Fields of objects that build or copy images and push the result.
const FIELDS: &[Fields] = &[
    // shipwright.io/docs/build/build: `spec.output`, in a BuildRun also `spec.build.spec.output`.
    ("shipwright.io", &[], &["output.image"]),
    // docs.openshift.com, BuildConfig: `spec.output.to`; the group was the core one at first.
    ("build.openshift.io", &[], &["output.to"]),
    ("", &["BuildConfig", "Build"], &["output.to"]),
    // strimzi.io, KafkaConnect: the Connect image with plugins is built and pushed.
    ("kafka.strimzi.io", &[], &["build.output"]),
    // github.com/buildpacks-community/kpack, docs/image.md and docs/deployers.md.
    ("kpack.io", &["Image"], &["spec.tag", "spec.additionalTags", "cache.registry"]),
    ("kpack.io", &["Deployer", "ClusterBuilder"], &["spec.tag"]),
    ("kpack.io", &["Build"], &["spec.tags", "cache.registry", "spec.lastBuild"]),
    // tekton.dev/docs: image resources of v1alpha1, and results of pipelines and tasks.
    ("tekton.dev", &["PipelineResource"], &["spec.params"]),
    ("tekton.dev", &[], &["results"]),
    // nuclio.io, function configuration: where the processor image is pushed.
    ("nuclio.io", &[], &["build.registry", "build.image"]),
    // camel.apache.org, IntegrationPlatform: the registry of built integrations.
    ("camel.apache.org", &[], &["build.registry"]),
    // konflux-ci.dev: the built component.
    ("appstudio.redhat.com", &["Component"], &["spec.containerImage"]),
    ("appstudio.redhat.com", &["ImageRepository"], &["spec.image"]),
    // konflux-ci.dev: where releases are pushed.
    ("appstudio.redhat.com", &["ReleasePlan", "ReleasePlanAdmission"], &["data.mapping"]),
    // github.com/dominodatalab/hephaestus: names to push.
    ("hephaestus.dominodatalab.com", &["ImageBuild"], &["spec.images"]),
];

/// As [`FIELDS`], in objects that also build: without the second path the field is pulled.
const WHERE_BUILT: &[(Fields, &[&str])] = &[
    // openfunction.dev, Function: `spec.image` is uploaded by `spec.build`.
    (("core.openfunction.io", &["Function"], &["spec.image"]), &["spec", "build"]),
];

/// Flags whose value is pushed to, whatever the program is.
const FLAGS: &[&str] = &[
    "--destination", // kaniko
    "--cache-repo",  // kaniko: cached layers
    "--push-to",
    "--push-image",
    "--output-image",
    "--export-cache", // buildctl
    "--cache-to",     // docker buildx
    "--cache-image",  // pack, lifecycle
    "-cache-image",
    "-Djib.to.image", // jib, Quarkus and Spring Boot
    "-Dquarkus.container-image.image",
    "-Dspring-boot.build-image.imageName",
];

/// Flags that only kaniko has beside `-d`.
const KANIKO: &[&str] = &["--destination", "--dockerfile", "--context", "--cache-repo"];

/// What of a command line is pushed to.
enum Pushed {
    Everything,
    /// What follows one of these flags.
    Flags(&'static [&'static str]),
    /// What follows no flag, and what follows these.
    Operands(&'static [&'static str]),
}

/// Programs that build, push or copy, with their subcommands; an empty subcommand is the program alone. Sources of
/// copies stay with their destinations: what pulls them is no kubelet.
const PROGRAMS: &[(&[&str], &[&str], Pushed)] = &[
    (&["docker", "podman", "nerdctl", "buildah", "img"], &["push", "tag", "commit"], Pushed::Everything),
    (
        &["docker", "podman", "nerdctl", "buildah", "img", "makisu"],
        &["build", "buildx", "bud"],
        Pushed::Flags(&["-t", "--tag", "--push", "--output", "--replica"]),
    ),
    (&["buildah", "docker", "podman"], &["manifest"], Pushed::Everything),
    (&["skopeo"], &["copy", "sync", "delete"], Pushed::Everything),
    (
        &["crane", "gcrane"],
        &["push", "copy", "cp", "append", "tag", "mutate", "rebase", "flatten", "delete"],
        Pushed::Everything,
    ),
    (&["regctl"], &["image", "index", "artifact", "tag"], Pushed::Everything),
    (&["regsync", "regbot"], &[""], Pushed::Everything),
    (&["oras"], &["push", "cp", "copy", "tag", "attach"], Pushed::Everything),
    (&["imgpkg"], &["push", "copy", "tag"], Pushed::Everything),
    (&["cosign"], &["sign", "attest", "attach", "upload", "copy", "clean"], Pushed::Everything),
    (&["helm", "flux", "tkn"], &["push", "bundle"], Pushed::Everything),
    // buildpacks.io: `pack build NAME`; the lifecycle's last operand and its tags.
    (&["pack"], &["build"], Pushed::Operands(&["-t", "--tag"])),
    (&["lifecycle/creator", "lifecycle/exporter"], &[""], Pushed::Operands(&["-tag", "-previous-image"])),
    (&["s2i"], &["build"], Pushed::Everything),
    (&["jib"], &["build", "jar", "war"], Pushed::Flags(&["-t", "--target"])),
    (&["executor", "kaniko"], &[""], Pushed::Flags(&["-d"])),
];

pub(super) fn is_target(place: &Place<'_, '_>, way: &[&str]) -> bool {
    if is_one_of(FIELDS, place, way) || is_where_built(place, way) {
        return true;
    }
    let own = match place.key() {
        "value" | "default" => place.neighbour_text("name").unwrap_or_default(),
        "[]" => place.key_at(1),
        key => key,
    };
    is_push_name(own) || is_push_variable(own) || is_parameter(place, way, own) || is_argument(place)
}

fn is_where_built(place: &Place<'_, '_>, way: &[&str]) -> bool {
    let holds =
        |path: &[&str]| place.object_node.is_some_and(|object| place.stream.get_path(object, path).is_some());
    WHERE_BUILT
        .iter()
        .any(|(fields, path)| is_one_of(std::slice::from_ref(fields), place, way) && holds(path))
}

/// Variables and keys that name where something is pushed.
const NAMES: &[&str] = &[
    "KO_DOCKER_REPO",         // ko.build
    "SKAFFOLD_DEFAULT_REPO",  // skaffold.dev
    "PLUGIN_REPO",            // plugins.drone.io
    "default_registry",       // Tilt's tilt_config.json
    "storage.oci.repository", // tekton.dev/docs/chains: signatures
];

/// A name that says so by a word: `destination`, `PUSH_IMAGE`, `docker-push-repo`.
fn is_push_name(name: &str) -> bool {
    if NAMES.contains(&name) {
        return true;
    }
    let words = words(name);
    let nouns = ["image", "repo", "repository", "registry", "target", "tag", "to", "url", "ref"];
    words.iter().enumerate().any(|(at, word)| match word.as_str() {
        "destination" | "destinations" => true,
        "push" => match words.get(at + 1) {
            Some(next) => nouns.contains(&next.as_str()),
            None => at > 0,
        },
        _ => false,
    })
}

/// A variable of a program that builds, by the words at its end: `TARGET_IMAGE`, `OUTPUT_REGISTRY`, `IMAGE_DEST`. A key in
/// lower case (`targetImage`) may be pulled, and operators call what they run `RELATED_IMAGE_…`.
fn is_push_variable(name: &str) -> bool {
    if name.contains(|c: char| c.is_ascii_lowercase()) || name.starts_with("RELATED_IMAGE") {
        return false;
    }
    let words = words(name);
    let [.., first, last] = words.as_slice() else { return false };
    let output = |word: &str| ["target", "output", "dest", "dst"].contains(&word);
    let noun = |word: &str| ["image", "repo", "repository", "registry"].contains(&word);
    output(first) && noun(last) || noun(first) && output(last)
}

/// Parameters of Tekton that only a build has beside the image it pushes (tektoncd/catalog: kaniko, buildah,
/// buildpacks, s2i-*, ko, jib-*).
const OF_BUILDS: &[&str] = &[
    "dockerfile",
    "context",
    "pathcontext",
    "giturl",
    "gitrepository",
    "gitrevision",
    "repourl",
    "revision",
    "source",
    "sourceurl",
    "sourcesubpath",
    "builderimage",
    "deployer",
    "outputimage",
];

/// A parameter of a Tekton run that names what the run builds.
fn is_parameter(place: &Place<'_, '_>, way: &[&str], name: &str) -> bool {
    if place.group() != "tekton.dev" || !way.contains(&"params") || name.is_empty() {
        return false;
    }
    let words = words(name);
    let output = ["output", "target", "destination", "dest", "push"];
    if words.iter().any(|word| output.contains(&word.as_str())) {
        return true;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let image = ["image", "imageurl", "imagename", "imageref", "imagereference", "appimage"];
    if !image.contains(&plain(name).as_str()) || is_step_image(place, name) {
        return false;
    }
    let list = place.stream.ancestors(place.scalar).nth(2);
    let names = list.into_iter().flat_map(|list| place.stream.items(list)).take(100);
    let mut names = names.filter_map(|&item| place.stream.value(place.stream.get(item, "name")?));
    names.any(|name| OF_BUILDS.contains(&plain(name).as_str()))
}

/// Does a step of the same object run the parameter?
fn is_step_image(place: &Place<'_, '_>, name: &str) -> bool {
    let wanted = [format!("$(params.{name})"), format!("$(inputs.params.{name})")];
    let Some(object) = place.object_node else { return false };
    let lists = [&["spec", "steps"][..], &["spec", "taskSpec", "steps"], &["taskSpec", "steps"]];
    let steps = lists.iter().filter_map(|path| place.stream.get_path(object, path));
    let steps = steps.flat_map(|list| place.stream.items(list)).take(1_000);
    let mut images = steps.filter_map(|&step| place.stream.value(place.stream.get(step, "image")?));
    images.any(|image| wanted.iter().any(|wanted| wanted == image))
}

/// An argument of a program that builds, pushes or copies.
fn is_argument(place: &Place<'_, '_>) -> bool {
    let Some(line) = CommandLine::around(place) else { return false };
    let flag = line.flag();
    let kaniko = || line.words.iter().any(|word| KANIKO.iter().any(|flag| word.starts_with(flag)));
    if flag.is_some_and(|flag| FLAGS.contains(&flag) || flag == "-d" && kaniko()) {
        return true;
    }
    PROGRAMS.iter().any(|(programs, subcommands, pushed)| {
        let Some(rest) = line.after_program(programs) else { return false };
        let subcommand = rest.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
        let runs = subcommands.iter().any(|wanted| wanted.is_empty() || *wanted == subcommand);
        runs && match pushed {
            Pushed::Everything => true,
            Pushed::Flags(flags) => flag.is_some_and(|flag| flags.contains(&flag)),
            Pushed::Operands(flags) => flag.is_none_or(|flag| flags.contains(&flag)),
        }
    })
}

/// More words of one command line are not read.
const MAX_WORDS: usize = 1_000;

/// The command line that a scalar of `command` or `args` is a word of.
struct CommandLine<'s> {
    words: Vec<&'s str>,
    own: usize,
    /// The image that runs it.
    image: Option<&'s str>,
}

impl<'s> CommandLine<'s> {
    fn around(place: &Place<'s, '_>) -> Option<CommandLine<'s>> {
        let stream = place.stream;
        if place.key() != "[]" || !["args", "command"].contains(&place.key_at(1)) {
            return None;
        }
        let container = stream.ancestors(place.scalar).nth(2)?;
        let items = |key: &str| stream.get(container, key).map(|list| stream.items(list)).unwrap_or_default();
        let all = items("command").iter().chain(items("args")).take(MAX_WORDS);
        let all: Vec<_> = all.copied().collect();
        Some(CommandLine {
            own: all.iter().position(|&id| id == place.scalar)?,
            words: all.iter().map(|&id| stream.value(id).unwrap_or_default()).collect(),
            image: stream.get(container, "image").and_then(|id| stream.value(id)),
        })
    }

    /// The flag that the word is the value of: `--flag=…`, or the word before it.
    fn flag(&self) -> Option<&'s str> {
        let own = self.words.get(self.own)?;
        if own.starts_with('-') {
            return own.split_once('=').map(|(flag, _)| flag);
        }
        let before = self.own.checked_sub(1).and_then(|at| self.words.get(at))?;
        (before.starts_with('-') && !before.contains('=')).then_some(*before)
    }

    /// The words behind one of these programs; all of them where the image is the program's.
    fn after_program(&self, programs: &[&str]) -> Option<&[&'s str]> {
        let is = |word: &&str| {
            let ends = |name: &&&str| {
                word.strip_suffix(**name).is_some_and(|path| path.is_empty() || path.ends_with('/'))
            };
            programs.iter().any(|name| ends(&name))
        };
        if let Some(at) = self.words.iter().position(is) {
            return self.words.get(at + 1..);
        }
        let mut parts = self.image?.split(['/', ':', '@']);
        parts.any(|part| programs.contains(&part)).then_some(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_pushed_to() {
        for name in
            ["destination", "imageDestination", "PUSH_IMAGE", "docker-push", "KO_DOCKER_REPO", "pushTo"]
        {
            assert!(is_push_name(name), "{name}");
        }
        for name in ["TARGET_IMAGE", "NIGHTLY_OUTPUT_REPO", "DEST_REGISTRY", "IMAGE_DEST"] {
            assert!(is_push_variable(name), "{name}");
        }
        for name in ["targetImage", "TARGET", "RELATED_IMAGE_OUTPUT", "TARGET_ALLOCATOR_IMAGE", "BUILD_IMAGE"]
        {
            assert!(!is_push_variable(name), "{name}");
        }
        for name in ["PUSHGATEWAY_IMAGE", "push-gateway", "push", "image", "target", "PUSH_GATEWAY_IMAGE"] {
            assert!(!is_push_name(name), "{name}");
        }
    }
}
