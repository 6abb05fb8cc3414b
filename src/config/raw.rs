//! The file as it is written: its keys and their forms, not yet checked for sense.
//!
//! The JSON Schema is made from these types; their comments are what editors show.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::error::{At, Problems};
use super::node::{Fields, Kind, Node, Text, parse};
use super::settings::{ApiVersion, Discovery, RULES, Severity};

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Configuration of pullthru: which container images go behind Amazon ECR pull through cache, and where it is.
#[derive(Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    /// The ECR registry that holds the cache.
    pub(super) registry: Option<Registry>,
    /// Upstream registries to move and the prefix of each in the cache; without it `ghcr.io: ghcr`.
    #[schemars(with = "Option<BTreeMap<String, Option<Form>>>")]
    pub(super) upstreams: Option<Vec<(Text, Option<Form>)>>,
    /// Patterns of the images to move, as `host/path`; all when there are none.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) include: Vec<Text>,
    /// Patterns of images to leave, as `host/path`.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) exclude: Vec<Text>,
    /// Paths to leave out, in .gitignore syntax.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) ignore: Vec<Text>,
    /// Move Helm charts and other OCI artifacts too.
    pub(super) artifacts: Option<bool>,
    /// Other registries or upstreams for some paths of the repository.
    #[schemars(with = "Option<Vec<Target>>")]
    pub(super) targets: Vec<Target>,
    /// What generated Flux objects look like.
    pub(super) flux: Option<Flux>,
    /// Severity of each lint rule.
    #[schemars(schema_with = "lint_schema")]
    pub(super) lint: Vec<(Text, Text)>,
    /// What is set up in AWS.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub(super) provision: Option<Value>,
}

/// An ECR registry: account and region, or a host.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Registry {
    #[schemars(skip)]
    pub(super) at: At,
    /// AWS account: 12 digits, in quotes.
    #[schemars(extend("pattern" = "^[0-9]{12}$"))]
    pub(super) account: Option<Text>,
    /// AWS Region, such as ca-central-1.
    pub(super) region: Option<Text>,
    /// A host instead of account and region, such as ${ECR_REGISTRY} for Flux to substitute.
    pub(super) host: Option<Text>,
    /// Use the FIPS endpoint.
    #[schemars(with = "Option<bool>")]
    pub(super) fips: Option<(bool, At)>,
    /// Use the dual-stack (IPv4 and IPv6) endpoint.
    #[schemars(with = "Option<bool>")]
    pub(super) dual_stack: Option<(bool, At)>,
}

/// How an upstream is cached: its prefix, one rule, or several rules for parts of it.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub(super) enum Form {
    Prefix(Text),
    Rule(Rule),
    Rules(Vec<Rule>),
}

/// One pull through cache rule.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Rule {
    /// Prefix of the cached repositories; ROOT for none. Each upstream has a default.
    pub(super) prefix: Option<Text>,
    /// Cache only the repositories of the upstream below this.
    pub(super) upstream_prefix: Option<Text>,
    /// Name of the credential in Secrets Manager, without ecr-pullthroughcache/.
    pub(super) credential: Option<Text>,
}

/// Another registry, and maybe other upstreams, for some paths.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Target {
    #[schemars(skip)]
    pub(super) at: At,
    /// Name in reports; the first path when there is none.
    pub(super) name: Option<Text>,
    /// Patterns of the files it is for. Of several that match, the longest before its first wildcard wins.
    pub(super) paths: Vec<Text>,
    /// The ECR registry that holds its cache.
    #[schemars(with = "Registry")]
    pub(super) registry: Option<Registry>,
    /// Its upstreams, in place of those above.
    #[schemars(with = "Option<BTreeMap<String, Option<Form>>>")]
    pub(super) upstreams: Option<Vec<(Text, Option<Form>)>>,
}

/// What generated Flux objects look like.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Flux {
    /// Version of image.toolkit.fluxcd.io; v1 when absent.
    #[schemars(with = "Option<ApiVersion>")]
    pub(super) api_version: Option<Text>,
    /// Namespace of the objects; flux-system when absent.
    pub(super) namespace: Option<Text>,
    /// How often Flux looks for tags; 1m when absent.
    pub(super) interval: Option<Text>,
    /// Where Flux looks for tags; cache when absent.
    #[schemars(with = "Option<Discovery>")]
    pub(super) discovery: Option<Text>,
}

/// One property for each rule.
fn lint_schema(generator: &mut SchemaGenerator) -> Schema {
    let severity = generator.subschema_for::<Severity>();
    let properties: serde_json::Map<String, Value> = RULES
        .iter()
        .map(|(rule, meaning)| {
            let mut schema = severity.clone();
            schema.insert("description".to_owned(), (*meaning).into());
            ((*rule).to_owned(), schema.to_value())
        })
        .collect();
    json_schema!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false })
}

/// The JSON Schema of the file.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(File);
    schema.insert("$id".to_owned(), "pullthru/config/v1".into());
    schema.insert("title".to_owned(), "pullthru.yaml".into());
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|key| key != "lint");
    }
    if schema.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        schema.remove("required");
    }
    schema.to_value()
}

impl File {
    /// Reads the file's text.
    pub(super) fn read(problems: &Problems) -> File {
        let Some(mut fields) = parse(problems).and_then(|node| Fields::of(node, "", problems)) else {
            return File::default();
        };
        let file = File {
            registry: fields.take("registry").and_then(|node| Registry::read(node, "registry", problems)),
            upstreams: fields.take("upstreams").and_then(|node| upstreams(node, problems)),
            include: fields.texts("include"),
            exclude: fields.texts("exclude"),
            ignore: fields.texts("ignore"),
            artifacts: fields.truth("artifacts").map(|(value, _)| value),
            targets: targets(&mut fields, problems),
            flux: fields.take("flux").and_then(|node| Flux::read(node, problems)),
            lint: lint(&mut fields, problems),
            provision: fields.take("provision").and_then(|node| match node.kind {
                Kind::Map(_) => Some(node.plain()),
                _ => node.misfit("provision", "a mapping", problems),
            }),
        };
        fields.finish();
        file
    }
}

impl Registry {
    fn read(node: Node, place: &str, problems: &Problems) -> Option<Registry> {
        let mut fields = Fields::of(node, place, problems)?;
        let registry = Registry {
            at: fields.at.clone(),
            account: fields.text("account"),
            region: fields.text("region"),
            host: fields.text("host"),
            fips: fields.truth("fips"),
            dual_stack: fields.truth("dual-stack"),
        };
        fields.finish();
        Some(registry)
    }
}

fn upstreams(node: Node, problems: &Problems) -> Option<Vec<(Text, Option<Form>)>> {
    let entries = node.entries("upstreams", problems)?;
    let form = |host: &str, node: Node| match node.kind {
        Kind::Null => None,
        Kind::Scalar(..) => node.text(host, problems).map(Form::Prefix),
        Kind::Map(_) => Rule::read(node, host, problems).map(Form::Rule),
        Kind::List(items) => {
            Some(Form::Rules(items.into_iter().filter_map(|item| Rule::read(item, host, problems)).collect()))
        }
    };
    Some(
        entries
            .into_iter()
            .map(|(host, node)| {
                let form = form(&host.value, node);
                (host, form)
            })
            .collect(),
    )
}

impl Rule {
    fn read(node: Node, host: &str, problems: &Problems) -> Option<Rule> {
        let mut fields = Fields::of(node, host, problems)?;
        let rule = Rule {
            prefix: fields.text("prefix"),
            upstream_prefix: fields.text("upstream-prefix"),
            credential: fields.text("credential"),
        };
        fields.finish();
        Some(rule)
    }
}

fn targets(fields: &mut Fields<'_>, problems: &Problems) -> Vec<Target> {
    let items = fields.take("targets").and_then(|node| node.list("targets", problems)).unwrap_or_default();
    items.into_iter().filter_map(|item| Target::read(item, problems)).collect()
}

impl Target {
    fn read(node: Node, problems: &Problems) -> Option<Target> {
        let mut fields = Fields::of(node, "targets", problems)?;
        let target = Target {
            at: fields.at.clone(),
            name: fields.text("name"),
            paths: fields.texts("paths"),
            registry: fields.take("registry").and_then(|node| Registry::read(node, "registry", problems)),
            upstreams: fields.take("upstreams").and_then(|node| upstreams(node, problems)),
        };
        fields.finish();
        Some(target)
    }
}

impl Flux {
    fn read(node: Node, problems: &Problems) -> Option<Flux> {
        let mut fields = Fields::of(node, "flux", problems)?;
        let flux = Flux {
            api_version: fields.text("api-version"),
            namespace: fields.text("namespace"),
            interval: fields.text("interval"),
            discovery: fields.text("discovery"),
        };
        fields.finish();
        Some(flux)
    }
}

fn lint(fields: &mut Fields<'_>, problems: &Problems) -> Vec<(Text, Text)> {
    let entries = fields.take("lint").and_then(|node| node.entries("lint", problems)).unwrap_or_default();
    entries
        .into_iter()
        .filter(|(_, node)| !node.is_null())
        .filter_map(|(rule, node)| {
            let severity = node.text(&rule.value, problems)?;
            Some((rule, severity))
        })
        .collect()
}
