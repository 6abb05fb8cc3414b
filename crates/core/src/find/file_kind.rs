//! What kind of file a path names: manifests are read as YAML, templates as text, and in everything else an
//! occurrence of a host is accounted for by what the file is.

use super::blank;
use super::site::IgnoreReason;
use crate::kustomization::{TEMPLATES, is_template_of_kustomization};
use crate::yaml;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileClass {
    /// YAML or JSON.
    Manifest,
    /// A text template that becomes YAML: literals in it are sites.
    Template,
    /// Holds no manifest: every occurrence stays, for this reason.
    Other(IgnoreReason),
}

/// `path` is relative to the repository, `/`-separated.
pub(super) fn classify(path: &str, text: &str) -> FileClass {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if is_template_of_kustomization(path) {
        return FileClass::Template;
    }
    if let Some((inner, _)) = name.rsplit_once('.').filter(|(inner, extension)| is_template(inner, extension))
    {
        // What it becomes decides: `values.yaml.j2` is a template of values, `README.md.gotmpl` a document.
        let inner = path.get(..path.len() - name.len() + inner.len()).unwrap_or(path);
        return match classify(inner, text) {
            FileClass::Manifest => FileClass::Template,
            other => other,
        };
    }
    if let Some(reason) = by_tool(path, &name)
        && !(may_be_renamed(reason) && blank::holds_objects(text))
    {
        return FileClass::Other(reason);
    }
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "json" if is_report(text) => FileClass::Other(IgnoreReason::Report),
        "yaml" | "yml" if in_templates(path) && text.contains("{{") => FileClass::Template,
        "yaml" | "yml" | "json" | "jsonc" | "json5" => FileClass::Manifest,
        "tpl" | "gotmpl" | "tmpl" => FileClass::Template,
        "" if name == "kustomization" || name == "-" => FileClass::Manifest,
        extension => FileClass::Other(by_extension(&name, extension)),
    }
}

/// Could [`classify`] take a file of this path for a manifest or a template?
pub(super) fn may_hold_manifests(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    ["yaml", "yml", "json", "jsonc", "json5"].contains(&extension.as_str())
        || TEMPLATES.contains(&extension.as_str())
        || extension.is_empty()
}

/// A template of a file with an extension of its own.
fn is_template(inner: &str, extension: &str) -> bool {
    TEMPLATES.contains(&extension)
        && inner.rsplit_once('.').is_some_and(|(stem, inner)| !stem.is_empty() && !inner.is_empty())
}

/// Reasons that a name alone gives, where the content may be an object of Kubernetes all the same:
/// `compose-bridge.yaml`, `skaffold-rbac.yaml`, `load_test.yaml`.
fn may_be_renamed(reason: IgnoreReason) -> bool {
    matches!(
        reason,
        IgnoreReason::Compose
            | IgnoreReason::Dockerfile
            | IgnoreReason::Devcontainer
            | IgnoreReason::BuildTool
            | IgnoreReason::Test
            | IgnoreReason::Script
            | IgnoreReason::Workstation
    )
}

/// Jinja and Terraform templates are mostly of machines: those that are no YAML with their statements blanked out, and
/// hold no object of Kubernetes, are taken for such.
pub(super) fn is_of_machines(path: &str, text: &str) -> bool {
    let extension = path.rsplit('.').next().unwrap_or_default();
    ["j2", "jinja", "jinja2", "tftpl"].contains(&extension)
        && !blank::holds_objects(text)
        && !yaml::parse_without_comments(&blank::blanked(text)).errors.is_empty()
}

/// A report or a baseline of this program, which names images and pulls none.
fn is_report(text: &str) -> bool {
    let rest = text.trim_start().strip_prefix('{').map(str::trim_start);
    let value = rest.and_then(|rest| rest.strip_prefix("\"schema\"")).map(str::trim_start);
    let value = value.and_then(|value| value.strip_prefix(':')).map(str::trim_start);
    value.is_some_and(|value| value.starts_with("\"pullthru/"))
}

/// A chart's templates: `…/templates/…`.
fn in_templates(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| part == "templates")
}

/// Does Renovate read its configuration here?
pub(super) fn is_renovate(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("renovate.json") || name.starts_with(".renovaterc") || name == ".renovate.json"
}

/// Files that a tool knows by their name or folder, whatever their extension.
fn by_tool(path: &str, name: &str) -> Option<IgnoreReason> {
    let below = |folder: &str| path.split('/').rev().skip(1).any(|part| part == folder);
    let yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    let first = name.split(['.', '-', '_']).next().unwrap_or("");
    if crate::tree::CONFIG_NAMES.contains(&name) {
        return Some(IgnoreReason::Configuration);
    }
    if name.starts_with("renovate.json") || name.starts_with(".renovaterc") || below(".renovate") {
        return Some(IgnoreReason::Renovate);
    }
    if name == "dependabot.yml" || name == "dependabot.yaml" {
        return Some(IgnoreReason::Renovate);
    }
    let workflows = below(".github") || below("workflows") && (below(".gitea") || below(".forgejo"));
    let pipelines = [
        ".gitlab-ci",
        ".drone",
        ".travis",
        "azure-pipelines",
        "bitbucket-pipelines",
        ".woodpecker",
        "cloudbuild",
    ];
    if workflows
        || below(".circleci")
        || below(".woodpecker")
        || below(".buildkite")
        || below(".semaphore")
        || name == "jenkinsfile"
        || pipelines.iter().any(|prefix| name.starts_with(prefix) && yaml)
    {
        return Some(IgnoreReason::Ci);
    }
    if yaml && (name.starts_with("docker-compose") || first == "compose") {
        return Some(IgnoreReason::Compose);
    }
    if first == "dockerfile" || first == "containerfile" || name.ends_with(".dockerfile") {
        return Some(IgnoreReason::Dockerfile);
    }
    if below(".devcontainer") || name.starts_with("devcontainer") || name.starts_with(".devcontainer") {
        return Some(IgnoreReason::Devcontainer);
    }
    if name.starts_with(".goreleaser")
        || name.starts_with(".ko.")
        || first == "skaffold"
        || name.starts_with("docker-bake.")
        || name == "tiltfile"
    {
        return Some(IgnoreReason::BuildTool);
    }
    if yaml && [".gitpod", "devfile", ".devfile", "devspace"].iter().any(|prefix| name.starts_with(prefix)) {
        return Some(IgnoreReason::Workstation);
    }
    if name.ends_with("_test.yaml") || name.ends_with("_test.yml") {
        // helm-unittest, and golden files beside it.
        return Some(IgnoreReason::Test);
    }
    if name.ends_with("schema.json") {
        return Some(IgnoreReason::Schema);
    }
    if ["makefile", "gnumakefile", "justfile", ".justfile"].contains(&name) || yaml && first == "taskfile" {
        return Some(IgnoreReason::Script);
    }
    None
}

fn by_extension(name: &str, extension: &str) -> IgnoreReason {
    match extension {
        "md" | "mdx" | "markdown" | "rst" | "adoc" | "txt" | "html" | "htm" | "svg" => {
            IgnoreReason::Documentation
        }
        "go" | "ts" | "tsx" | "js" | "jsx" | "mjs" | "cjs" | "py" | "rs" | "java" | "kt" | "rb" | "php"
        | "c" | "h" | "cc" | "cpp" | "cs" | "swift" | "lua" | "cue" | "jsonnet" | "libsonnet" | "nix"
        | "proto" | "rego" => IgnoreReason::SourceCode,
        "sh" | "bash" | "zsh" | "fish" | "ps1" | "bat" | "mk" | "just" | "nu" => IgnoreReason::Script,
        "tf" | "tfvars" | "hcl" => IgnoreReason::Terraform,
        "tftpl" | "j2" | "jinja" | "jinja2" => IgnoreReason::MachineConfig,
        _ if ["readme", "license", "changelog", "codeowners", "notice"].contains(&name) => {
            IgnoreReason::Documentation
        }
        _ => IgnoreReason::OtherFile,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_name_and_folder() {
        let cases = [
            ("apps/my-app/deployment.yaml", FileClass::Manifest),
            ("apps/my-app/Kustomization", FileClass::Manifest),
            ("charts/x/templates/deployment.yaml", FileClass::Template),
            ("charts/x/templates/_helpers.tpl", FileClass::Template),
            ("values.yaml.gotmpl", FileClass::Template),
            (".github/workflows/build.yaml", FileClass::Other(IgnoreReason::Ci)),
            (".github/renovate.json5", FileClass::Other(IgnoreReason::Renovate)),
            ("docker/app/docker-compose.app.yaml", FileClass::Other(IgnoreReason::Compose)),
            ("compose.yaml", FileClass::Other(IgnoreReason::Compose)),
            ("Dockerfile.arm64", FileClass::Other(IgnoreReason::Dockerfile)),
            ("charts/x/values.schema.json", FileClass::Other(IgnoreReason::Schema)),
            ("pullthru.yaml", FileClass::Other(IgnoreReason::Configuration)),
            ("README.md", FileClass::Other(IgnoreReason::Documentation)),
            ("cmd/main.go", FileClass::Other(IgnoreReason::SourceCode)),
            ("talos/machine.yaml.tftpl", FileClass::Template),
            ("talos/machine.toml.j2", FileClass::Other(IgnoreReason::OtherFile)),
            ("apps/helmrelease.yaml.j2", FileClass::Template),
            ("overlays/kustomization.yaml.j2", FileClass::Template),
            ("overlays/Kustomization.template", FileClass::Template),
            ("charts/x/README.md.gotmpl", FileClass::Other(IgnoreReason::Documentation)),
        ];
        for (path, class) in cases {
            assert_eq!(classify(path, "{{ x }}"), class, "{path}");
        }
        assert_eq!(classify("charts/x/templates/plain.yaml", "a: b"), FileClass::Manifest);
        let object = "apiVersion: v1\nkind: Pod\n";
        for path in ["compose-bridge.yaml", "skaffold-rbac.yaml", "load_test.yaml"] {
            assert_eq!(classify(path, object), FileClass::Manifest, "{path}");
        }
        assert!(is_of_machines("x.yaml.j2", "a: b\n c: {{ d }}\n"));
        assert!(!is_of_machines("x.yaml.j2", "a: {{ d }}\n") && !is_of_machines("x.yaml.j2", object));
        let report = "{\n  \"schema\": \"pullthru/verification/v1\",";
        assert_eq!(classify("verify.json", report), FileClass::Other(IgnoreReason::Report));
        assert_eq!(classify("other.json", "{\"schema\": \"x/v1\"}"), FileClass::Manifest);
    }
}
