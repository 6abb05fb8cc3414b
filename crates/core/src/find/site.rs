//! What the finder finds: sites (references), ignored occurrences (those that are no reference to move), and the
//! facts about each that a strategy needs. Plain data; nothing here decides.

use serde::{Deserialize, Serialize};

use super::field::Field;
use super::generators::TemplatedPath;
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::{FieldPath, Span, Step};

/// One place in one file where a reference stands.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where the scalar with the host begins.
    pub position: Position,
    pub form: Form,
    pub role: Role,
    /// The kind of text inside which the reference was found, when the file itself does not show it.
    pub inside: Option<Embedding>,
    pub object: Option<Object>,
    /// The field of the object.
    pub field: Field,
    /// Registry and repository as a node would ask for them.
    pub name: Name,
    /// The name as it is written, where that is another text: `nginx` for `docker.io/library/nginx`.
    pub spelling: Option<Box<str>>,
    /// What else stands in the same scalar.
    pub around: Around,
    /// What follows the name: `:v1`, `@sha256:…`, both, a placeholder, or nothing. Never filled in.
    pub suffix: String,
    pub shape: Shape,
    pub obstacle: Option<Obstacle>,
    /// What the obstacle is without the comment, where it is [`Obstacle::Ignored`].
    pub beneath: Option<Obstacle>,
    pub marker: Option<Marker>,
    /// The bytes of upstream hosts that this site accounts for.
    pub covers: Vec<Span>,
}

impl Site {
    /// The reference as a node would pull it, composed from its parts.
    pub fn reference(&self) -> String {
        if self.name.path.is_empty() {
            return self.name.host.clone();
        }
        format!("{}{}", self.name, self.suffix)
    }

    /// The reference as kustomize compares it: by its letters.
    pub(crate) fn as_written(&self) -> String {
        match &self.spelling {
            Some(spelling) => format!("{spelling}{}", self.suffix),
            None => self.reference(),
        }
    }

    /// A comment takes it out of every plan.
    pub(super) fn ignore(&mut self) {
        if self.obstacle != Some(Obstacle::Ignored) {
            self.beneath = self.obstacle.replace(Obstacle::Ignored);
        }
    }

    /// As if there were no such comment.
    pub(crate) fn without_comment(&mut self) {
        if self.obstacle == Some(Obstacle::Ignored) {
            self.obstacle = self.beneath.take();
        }
    }

    /// A registry or the beginning of names that stand elsewhere: no image.
    pub fn is_prefix(&self) -> bool {
        matches!(&self.shape, Shape::Registry { path, .. } if *path == self.name.path)
    }

    /// The list of images that it is a part of, by the mapping that holds it (the root for a kustomization), and which of
    /// its entries.
    pub(crate) fn image_entry(&self) -> Option<(FieldPath, usize)> {
        let steps = self.field.outermost().steps();
        let is_entry = |pair: &[Step]| matches!(pair, [Step::Key(list), Step::Item(_)] if list == "images" || list == "imageTags");
        let at = steps.windows(2).rposition(is_entry)?;
        let Step::Item(index) = steps.get(at + 1)? else { return None };
        Some((FieldPath::from(steps.get(..at)?.to_vec()), *index))
    }

    /// Which entry of a kustomization's `images` it is a part of.
    pub(crate) fn entry_of_images(&self) -> Option<usize> {
        match self.field.outermost().steps() {
            [Step::Key(list), Step::Item(index), ..] if list == "images" => Some(*index),
            _ => None,
        }
    }

    /// Where the scalar with the host stands in the file.
    pub fn start(&self) -> usize {
        match &self.shape {
            Shape::Name(span) => span.start,
            Shape::Split { registry, .. } => registry.start,
            Shape::Registry { span, .. } | Shape::Below { span, .. } => span.start,
        }
    }
}

/// What stands in a scalar beside the reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Around {
    /// Nothing: the scalar is the reference.
    Nothing,
    /// `--image=` before it, and nothing behind.
    Flag(Box<str>),
    /// Something else, or it is not known.
    #[default]
    More,
}

/// Which scalars hold the name, and where. Tags and digests are never edited, so they have no span here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Registry and repository in one place: `ghcr.io/o/n` of `oci://ghcr.io/o/n:v1`.
    Name(Span),
    /// Joined by a chart's template: `registry: ghcr.io` and `repository: o/n`.
    Split {
        registry: Span,
        /// Where the repository stands; `None` for an alias, which is never edited.
        repository: Option<Span>,
        repository_text: String,
        /// Aliases put the registry before other repositories, too.
        shared: bool,
    },
    /// A repository below a registry that another site holds: it moves when that one does, and has no edit of its own.
    Below { registry: Span, span: Span },
    /// A registry, maybe with a path, whose repositories stand elsewhere: `imageRegistry: ghcr.io/o`.
    Registry { span: Span, path: String },
}

macro_rules! ids {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $id:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name { $($(#[$doc])* #[serde(rename = $id)] $variant,)* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The stable id, as outputs and documents use it.
            pub fn id(self) -> &'static str {
                match self { $($name::$variant => $id,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.id())
            }
        }
    };
}

ids! {
    /// How the reference is written down.
    Form {
        /// `containers[].image` of a built-in workload.
        Container = "container",
        InitContainer = "init-container",
        EphemeralContainer = "ephemeral-container",
        /// `volumes[].image.reference`.
        ImageVolume = "image-volume",
        /// A container list inside a custom resource.
        CrdContainer = "crd-container",
        /// Another field of an object that holds a whole reference.
        ImageField = "image-field",
        /// The value of an environment variable.
        EnvValue = "env-value",
        /// A container's argument or command.
        Argument = "argument",
        /// A whole value of a ConfigMap's or Secret's data.
        ConfigMapValue = "config-map-value",
        TektonStep = "tekton-step",
        /// `repository` with `tag` or `digest` beside it.
        Split = "split",
        /// `registry` with `repository` beside it.
        RegistrySplit = "registry-split",
        /// A registry with a path, joined with repositories elsewhere.
        RegistryPrefix = "registry-prefix",
        /// A registry alone, joined with repositories elsewhere.
        LoneRegistry = "lone-registry",
        /// A whole reference in Helm values.
        WholeValue = "whole-value",
        /// A repository in Helm values under another key than `repository`.
        OtherKey = "other-key",
        /// Argo CD `helm.parameters[]`.
        ArgoParameter = "argo-parameter",
        /// Argo CD `kustomize.images[]`.
        ArgoKustomizeImage = "argo-kustomize-image",
        /// A literal in a text template, or in a file that does not parse.
        TemplateText = "template-text",
        /// `${VAR:=ghcr.io/…}` of Flux's substitution.
        DefaultExpression = "default-expression",
        /// The `value` of a JSON 6902 operation.
        PatchValue = "patch-value",
        /// Inside a text that is no YAML or JSON: an expression or a script.
        TextLiteral = "text-literal",
        KustomizeName = "kustomize-name",
        KustomizeNewName = "kustomize-new-name",
        /// `images[]` of a list that is no kustomization.
        ImageCatalogue = "image-catalogue",
        ImageRepository = "image-repository",
        /// `oci://…` of a Flux source.
        OciUrl = "oci-url",
        /// A chart's place in a registry.
        Chart = "chart",
        /// Another OCI artifact.
        Artifact = "artifact",
        /// Flux's `distribution.registry`.
        DistributionRegistry = "distribution-registry",
    }
}

impl Form {
    /// How values of charts are written, whole or in parts.
    pub(crate) fn is_value(self) -> bool {
        matches!(
            self,
            Form::Split
                | Form::RegistrySplit
                | Form::RegistryPrefix
                | Form::LoneRegistry
                | Form::WholeValue
                | Form::OtherKey
                | Form::ArgoParameter
        )
    }

    /// A field that a node reads itself: no tag is `latest` there. Elsewhere something else may add one.
    pub(crate) fn is_pulled_as_written(self) -> bool {
        matches!(
            self,
            Form::Container
                | Form::InitContainer
                | Form::EphemeralContainer
                | Form::ImageVolume
                | Form::CrdContainer
                | Form::TektonStep
        )
    }
}

ids! {
    /// The kind of text around a reference that is not the file's own YAML.
    Embedding {
        Yaml = "yaml",
        Json = "json",
        Text = "text",
    }
}

/// What the reference is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A node pulls it.
    Image,
    /// Kustomize compares it with the images of what it transforms (reference kept apart from what it matches).
    Matcher(Scope),
    /// Tags are looked up there; nothing is pulled.
    TagDiscovery,
    /// A Helm chart or another OCI artifact, pulled by a controller.
    Artifact,
}

impl Role {
    pub fn id(&self) -> &'static str {
        match self {
            Role::Image => "image",
            Role::Matcher(_) => "matcher",
            Role::TagDiscovery => "tag-discovery",
            Role::Artifact => "artifact",
        }
    }
}

/// What a matcher is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The resources of the kustomization that holds it.
    Kustomization,
    /// The manifests below a directory, as `spec.path` writes it, or where the links on that lead to.
    Path(String),
    /// Those below the directories of an ApplicationSet.
    Templated(TemplatedPath),
    /// What the object that holds it renders (a HelmRelease's chart).
    Object,
    /// Not known: a catalogue that an operator reads.
    Anywhere,
}

ids! {
    /// Why a reference that was found cannot be rewritten, whatever the strategy.
    Obstacle {
        /// The file is encrypted with SOPS and its MAC covers this value.
        Sops = "sops",
        /// Part of the name is computed: `ghcr.io/${ORG}/app`.
        Computed = "computed",
        /// The name runs over a line break or an escape.
        MultiLine = "multi-line",
        /// Nothing says which registry the chart puts before it.
        RegistryUnknown = "registry-unknown",
        /// A registry alone, and nothing shows that images are composed with it.
        RegistryAlone = "registry-alone",
        /// Registry and repository both name a host.
        TwoRegistries = "two-registries",
        /// Not a name that a registry accepts.
        InvalidName = "invalid-name",
        /// `# pullthru: ignore`.
        Ignored = "ignored",
        /// A node pulls it before it has a login for ECR.
        NodeImage = "node-image",
        /// Kustomize takes the name as a regular expression.
        Pattern = "pattern",
        /// A bare host in a text template: what it is joined with is not known.
        Template = "template",
        /// The part that would have to change is an alias.
        Alias = "alias",
        /// After the edit the file would not read as planned.
        Unproved = "unproved",
        /// A name that only stands for the `newName` beside it, and is never pulled.
        Renamed = "renamed",
        /// OpenShift puts the image of an image stream there.
        ImageStream = "image-stream",
        /// Its registry is a variable that the repository sets: what counts is there.
        Variable = "variable",
    }
}

ids! {
    /// Which part of the reference a setter comment of Flux writes.
    Marker {
        /// No suffix: the whole reference, the name included.
        Full = "full",
        Name = "name",
        Tag = "tag",
        Digest = "digest",
    }
}

impl Marker {
    /// True when the next run of the automation writes the scanned name over ours.
    pub(crate) fn writes_name(self) -> bool {
        matches!(self, Marker::Full | Marker::Name)
    }
}

/// An object of Kubernetes, or a configuration file that looks like one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Object {
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Object {
    /// The two parts of its `apiVersion`; the group of Kubernetes' own first objects is empty.
    pub(crate) fn group_and_version(&self) -> (&str, &str) {
        self.api_version.rsplit_once('/').unwrap_or(("", &self.api_version))
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name.as_deref().unwrap_or("?"))
    }
}

/// An occurrence of an upstream host that is no reference to move, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    pub position: Position,
    /// The host's bytes.
    pub span: Span,
    pub reason: IgnoreReason,
}

impl Ignored {
    pub(crate) fn new(span: Span, reason: IgnoreReason) -> Ignored {
        Ignored { position: Position::START, span, reason }
    }
}

ids! {
    /// Why an occurrence of an upstream host stays.
    IgnoreReason {
        Comment = "comment",
        Documentation = "documentation",
        SourceCode = "source-code",
        Script = "script",
        Ci = "ci",
        Compose = "compose",
        Dockerfile = "dockerfile",
        Devcontainer = "devcontainer",
        Renovate = "renovate",
        BuildTool = "build-tool",
        MachineConfig = "machine-config",
        Terraform = "terraform",
        Policy = "policy",
        Description = "description",
        Annotation = "annotation",
        Status = "status",
        Schema = "schema",
        Url = "url",
        Credential = "credential",
        Mirror = "mirror",
        /// Something is pushed there, and ECR takes no pushes below a pull through cache rule.
        PushTarget = "push-target",
        /// Configuration of a tool that copies images, and pulls them by itself.
        Copy = "copy",
        /// A name that something else is compared with: of a package, or of what an updater writes.
        Identity = "identity",
        /// A registry, or the beginning of names, of images that a node pulls before it has a login for ECR.
        NodeImage = "node-image",
        /// A file of a workstation: a local cluster, a development environment, a playbook.
        Workstation = "workstation",
        BareHost = "bare-host",
        RunnerLabel = "runner-label",
        /// The host's text is part of another host's name.
        OtherHost = "other-host",
        /// A glob or an alternative, not one image.
        Pattern = "pattern",
        MapKey = "map-key",
        /// Prose or code in a value.
        Text = "text",
        /// Looked up by a tool that lists versions; nothing is pulled there.
        Discovery = "discovery",
        /// A test of a chart or a tool.
        Test = "test",
        /// The configuration of pullthru itself.
        Configuration = "configuration",
        /// A report or a baseline of pullthru itself.
        Report = "report",
        /// A file of a kind that holds no manifests.
        OtherFile = "other-file",
        TooLarge = "too-large",
        NotUtf8 = "not-utf-8",
    }
}
