//! From an account to the configuration that describes it: what `provision plan` would then find nothing to do for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::failure::AwsFailure;
use super::secret::FoundSecret;
use super::session::Session;
use super::{registry_policy, rule, scanning, secret, template};
use crate::resource::{self, Cipher, MARKER, MutabilitySetting, Ref, Rule, STACK, Template};
use crate::{document, yaml};
use pullthru_core::config::{SECRET_PREFIX, Tags};
use pullthru_core::image::DOCKER_HUB;

/// A configuration, and what it lacks because it could not be read.
#[derive(Debug)]
pub struct Imported {
    pub text: String,
    pub unseen: Vec<AwsFailure>,
}

/// Reads what pull through cache is made of in the registry.
pub async fn import(session: &Session) -> Imported {
    let mut import = Import { session, unseen: Vec::new(), comments: Vec::new() };
    let mut file = Map::new();
    file.insert(
        "registry".to_owned(),
        json!({ "account": session.registry.account.as_str(), "region": session.registry.region.as_str() }),
    );
    let rules: Vec<Rule> = import.seen(rule::read(session).await).unwrap_or_default().into_values().collect();
    let mut provision = Map::from_iter([("upstreams".to_owned(), json!("configured"))]);
    import.rules(&rules, &mut file, &mut provision).await;
    let templates = import.seen(template::read(session).await).unwrap_or_default();
    let stacks: BTreeSet<&str> =
        templates.values().filter_map(|template| template.stack.as_deref()).collect();
    // With one stack, the configuration is that stack's.
    let stack = stacks.first().filter(|_| stacks.len() == 1).map(|stack| stack.to_string());
    if let Some(stack) = &stack {
        provision.insert("name".to_owned(), json!(stack));
    }
    put(&mut provision, "templates", templates.values().map(template_value).collect());
    import.registry(stack.as_deref(), &mut provision).await;
    file.insert("provision".to_owned(), Value::Object(provision));
    let mut text =
        format!("# What account {} has in {}.\n", session.registry.account, session.registry.region);
    for comment in &import.comments {
        text.push_str(&format!("# {comment}\n"));
    }
    text.push_str(&yaml::block(&Value::Object(file)));
    Imported { text, unseen: import.unseen }
}

struct Import<'a> {
    session: &'a Session,
    unseen: Vec<AwsFailure>,
    comments: Vec<String>,
}

fn put(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(key.to_owned(), Value::Array(list));
    }
}

impl Import<'_> {
    fn seen<T>(&mut self, found: Result<T, AwsFailure>) -> Option<T> {
        found.map_err(|failure| self.unseen.push(failure)).ok()
    }

    async fn rules(
        &mut self,
        rules: &[Rule],
        file: &mut Map<String, Value>,
        provision: &mut Map<String, Value>,
    ) {
        let mut upstreams: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let (mut own, mut credentials) = (Vec::new(), BTreeMap::new());
        let mut covered: BTreeSet<(String, &str)> = BTreeSet::new();
        for rule in rules {
            let host = match rule.upstream_registry.as_str() {
                "docker-hub" => DOCKER_HUB.to_owned(),
                _ => rule.upstream_url.clone(),
            };
            if pullthru_core::route::upstream_for(&host).is_none() {
                self.comments
                    .push(format!("rule {} → {host}: an upstream that is not known here", rule.prefix));
                continue;
            }
            let mut entry = Map::from_iter([("prefix".to_owned(), json!(rule.prefix))]);
            if rule.upstream_prefix != "ROOT" {
                entry.insert("upstream-prefix".to_owned(), json!(rule.upstream_prefix));
            }
            if let Some(Ref::Given(arn)) = &rule.credential {
                let name = self.credential(&arn.to_string(), rule, &mut credentials).await;
                entry.insert("credential".to_owned(), json!(name));
            }
            // One upstream may be cached twice; references can be moved to one of them only.
            let first = covered.insert((host.clone(), rule.upstream_prefix.as_str()));
            if rule.custom_role.is_some() || !first {
                entry.insert("upstream".to_owned(), json!(host));
                if let Some(arn) = &rule.custom_role {
                    entry.insert("custom-role".to_owned(), json!(arn.to_string()));
                }
                own.push(Value::Object(entry));
            } else {
                upstreams.entry(host).or_default().push(Value::Object(entry));
            }
        }
        let upstreams: Map<String, Value> =
            upstreams.into_iter().map(|(host, list)| (host, list.into())).collect();
        if !upstreams.is_empty() {
            file.insert("upstreams".to_owned(), Value::Object(upstreams));
        }
        if !credentials.is_empty() {
            provision.insert("credentials".to_owned(), Value::Object(credentials.into_iter().collect()));
        }
        put(provision, "rules", own);
    }

    /// The name of a rule's credential, which is added when it is new.
    async fn credential(&mut self, arn: &str, rule: &Rule, all: &mut BTreeMap<String, Value>) -> String {
        let found = secret::read(self.session, arn, &rule.upstream_url).await;
        let found: Option<FoundSecret> = self.seen(found).flatten();
        let full = rule.credential.as_ref().map(Ref::name).unwrap_or_default();
        let name = full.strip_prefix(SECRET_PREFIX).unwrap_or(&full).replace('/', "-");
        let entry = match found {
            Some(found) if resource::stack_of(&found.tags).is_some() => {
                let mut entry = Map::from_iter([("secret".to_owned(), json!(full))]);
                if let Ok(Some(contents)) = &found.contents
                    && let Some(username) = &contents.username
                {
                    entry.insert("username".to_owned(), json!(username));
                }
                add_tags(&mut entry, &found.tags);
                Value::Object(entry)
            }
            _ => json!({ "arn": arn }),
        };
        all.insert(name.clone(), entry);
        name
    }

    async fn registry(&mut self, stack: Option<&str>, provision: &mut Map<String, Value>) {
        let mut registry = Map::new();
        let found = scanning::read(self.session).await;
        if let Some(found) = self.seen(found).filter(|found| !found.rules.is_empty()) {
            let rule = |(frequency, filters): (&String, &Vec<String>)| json!({ "frequency": kebab(frequency), "filters": filters });
            let rules: Vec<Value> = found.rules.iter().map(rule).collect();
            registry.insert("scanning".to_owned(), json!({ "type": kebab(&found.kind), "rules": rules }));
        }
        let found = registry_policy::read(self.session).await;
        let (named, unnamed): (Vec<Value>, Vec<Value>) =
            self.seen(found).unwrap_or_default().into_iter().partition(|statement| {
                statement.get("Sid").and_then(Value::as_str).is_some_and(|sid| !sid.is_empty())
            });
        if !unnamed.is_empty() {
            let text = "statements of the registry's policy have no `Sid`: they are not in this file, and are not changed";
            self.comments.push(format!("{} {text}", unnamed.len()));
        }
        let named: Vec<Value> = named.into_iter().map(|statement| without_stack(statement, stack)).collect();
        if !named.is_empty() {
            registry.insert("policy".to_owned(), json!({ "statements": named }));
        }
        if !registry.is_empty() {
            provision.insert("registry".to_owned(), Value::Object(registry));
        }
    }
}

/// A statement of the stack as the configuration has it: its `Sid` gets the stack's end when it is written.
fn without_stack(mut statement: Value, stack: Option<&str>) -> Value {
    let own = stack.and_then(|stack| {
        let sid = statement.get("Sid")?.as_str()?;
        document::configured_sid(sid, stack).map(str::to_owned)
    });
    if let (Some(sid), Some(members)) = (own, statement.as_object_mut()) {
        members.insert("Sid".to_owned(), sid.into());
    }
    statement
}

fn kebab(id: &str) -> String {
    id.to_lowercase().replace('_', "-")
}

fn add_tags(entry: &mut Map<String, Value>, tags: &Tags) {
    let own: Tags = tags
        .iter()
        .filter(|(key, _)| ![MARKER.0, STACK].contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if !own.is_empty() {
        entry.insert("tags".to_owned(), json!(own));
    }
}

fn template_value(template: &Template) -> Value {
    let mut entry = Map::from_iter([("prefix".to_owned(), json!(template.prefix))]);
    entry.insert("description".to_owned(), json!(template.description));
    let applied_for: Vec<String> = template.applied_for.iter().map(|use_| kebab(use_)).collect();
    entry.insert("applied-for".to_owned(), json!(applied_for));
    let except = &template.mutability.except;
    let mutability = match template.mutability.setting {
        MutabilitySetting::Mutable => Value::Null,
        MutabilitySetting::Immutable => json!("immutable"),
        MutabilitySetting::MutableWithExclusion => json!({ "mutable-except": except }),
        MutabilitySetting::ImmutableWithExclusion => json!({ "immutable-except": except }),
    };
    let encryption = match &template.cipher {
        Cipher::Aes256 => Value::Null,
        Cipher::Kms(Some(Ref::Given(arn))) => json!({ "kms-key": arn.to_string() }),
        Cipher::Kms(_) => json!("kms"),
    };
    let policy =
        |document: Option<&Value>| document.map_or(Value::Null, |document| json!({ "policy": document }));
    let settings = [
        ("tag-mutability", mutability),
        ("encryption", encryption),
        ("lifecycle", policy(template.lifecycle.as_ref())),
        ("access", policy(template.policy.as_ref())),
    ];
    let set = settings.into_iter().filter(|(_, value)| !value.is_null());
    entry.extend(set.map(|(key, value)| (key.to_owned(), value)));
    if !template.tags.is_empty() {
        entry.insert("tags".to_owned(), json!(template.tags));
    }
    if let Some(arn) = &template.custom_role {
        entry.insert("custom-role".to_owned(), json!(arn.to_string()));
    }
    Value::Object(entry)
}
