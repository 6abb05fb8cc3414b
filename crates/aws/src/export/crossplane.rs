//! Objects of Crossplane's provider-upjet-aws 2.6, those that live in a namespace (`ecr.aws.m.upbound.io`).
//!
//! A rule has no reference to an object of a secret, and the ARN of a secret ends in characters that only AWS knows: a
//! login has to be named by its ARN.

use serde_json::{Value, json};

use super::identifiers::Identifiers;
use super::objects::{Objects, encryption, exclusions, file, has_new_key, notes, object_name, present, text};
use super::{registry_policy, tags};
use crate::Desired;
use crate::names::Case;
use crate::resource::{Ref, ReplicationRule, Repository, Rule, Scanning, Template};

const MARK: &str = "Written by `pullthru provision export crossplane`";
const VERSION: &str = "ecr.aws.m.upbound.io/v1beta1";

/// How the objects are managed.
#[derive(Clone, Copy, Debug)]
pub struct Crossplane<'a> {
    pub namespace: &'a str,
    /// Name of the `ClusterProviderConfig`.
    pub provider_config: &'a str,
}

/// The objects for one Region.
///
/// # Errors
/// The names of credentials that have no ARN: their rules could not be made.
pub fn crossplane(desired: &Desired, settings: Crossplane<'_>) -> Result<Objects, Vec<String>> {
    if !desired.secrets.is_empty() {
        return Err(desired.secrets.iter().map(|secret| secret.credential.clone()).collect());
    }
    let export = Export { desired, settings, names: Identifiers::new(desired, Case::Kebab) };
    let mut objects: Vec<Value> =
        desired.templates.iter().map(|template| export.template(template)).collect();
    objects.extend(desired.rules.iter().map(|rule| export.rule(rule)));
    let repositories = desired.repositories.iter().filter(|repository| !has_new_key(&repository.cipher));
    repositories.for_each(|repository| objects.extend(export.repository(repository)));
    objects.extend(export.registry());
    Ok(Objects { file: file(MARK, &objects), notes: notes(desired) })
}

struct Export<'a> {
    desired: &'a Desired,
    settings: Crossplane<'a>,
    names: Identifiers<'a>,
}

impl Export<'_> {
    fn object(&self, kind: &str, name: &str, for_provider: Value) -> Value {
        let mut for_provider = present(for_provider);
        if let Some(members) = for_provider.as_object_mut() {
            members.insert("region".to_owned(), self.desired.registry.region.as_str().into());
        }
        json!({
            "apiVersion": VERSION,
            "kind": kind,
            "metadata": { "name": object_name(self.desired, name), "namespace": self.settings.namespace },
            "spec": {
                "providerConfigRef": { "kind": "ClusterProviderConfig", "name": self.settings.provider_config },
                "forProvider": for_provider,
            },
        })
    }

    fn template(&self, template: &Template) -> Value {
        let spec = json!({
            "prefix": template.prefix,
            "description": template.description,
            "appliedFor": template.applied_for,
            "imageTagMutability": template.mutability.setting.id(),
            "imageTagMutabilityExclusionFilter": exclusions(&template.mutability),
            "encryptionConfiguration": [encryption(&template.cipher)],
            "lifecyclePolicy": text(template.lifecycle.as_ref()),
            "repositoryPolicy": text(template.policy.as_ref()),
            "resourceTags": template.tags,
            "customRoleArn": template.custom_role.as_ref().map(ToString::to_string),
        });
        self.object("RepositoryCreationTemplate", &self.names.templates.of(&template.prefix), spec)
    }

    fn rule(&self, rule: &Rule) -> Value {
        let credential = rule.credential.as_ref().and_then(|credential| match credential {
            Ref::Given(arn) => Some(arn.to_string()),
            Ref::Made(_) => None,
        });
        let spec = json!({
            "ecrRepositoryPrefix": rule.prefix,
            "upstreamRegistryUrl": rule.upstream_url,
            "upstreamRepositoryPrefix": Some(&rule.upstream_prefix).filter(|prefix| *prefix != "ROOT"),
            "credentialArn": credential,
            "customRoleArn": rule.custom_role.as_ref().map(ToString::to_string),
        });
        self.object("PullThroughCacheRule", &self.names.rules.of(&rule.prefix), spec)
    }

    /// The repository, and its policies. Its name is the external name: objects' names have no `/`.
    fn repository(&self, repository: &Repository) -> Vec<Value> {
        let name = self.names.repositories.of(&repository.name);
        let spec = json!({
            "imageTagMutability": repository.mutability.setting.id(),
            "imageTagMutabilityExclusionFilter": exclusions(&repository.mutability),
            "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
            "encryptionConfiguration": [encryption(&repository.cipher)],
            "forceDelete": repository.force_delete,
            "tags": tags(&repository.tags, "crossplane"),
        });
        let mut object = self.object("Repository", &name, spec);
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            let external = json!({ "crossplane.io/external-name": repository.name });
            metadata.insert("annotations".to_owned(), external);
        }
        let documents =
            [("LifecyclePolicy", &repository.lifecycle), ("RepositoryPolicy", &repository.policy)];
        let policies = documents.into_iter().filter_map(|(kind, document)| {
            let policy = text(Some(document.as_ref()?));
            let repository = json!({ "name": object_name(self.desired, &name) });
            Some(self.object(kind, &name, json!({ "repositoryRef": repository, "policy": policy })))
        });
        std::iter::once(object).chain(policies).collect()
    }

    /// What ECR has once for a whole registry: Crossplane owns the whole, as Terraform does.
    fn registry(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        if let Some(scanning) = &self.desired.scanning {
            objects.push(self.object("RegistryScanningConfiguration", "registry", self::scanning(scanning)));
        }
        if let Some(document) = registry_policy(self.desired) {
            let policy = text(Some(&document));
            objects.push(self.object("RegistryPolicy", "registry", json!({ "policy": policy })));
        }
        if !self.desired.replication.is_empty() {
            let rules: Vec<Value> = self.desired.replication.iter().map(replication).collect();
            let spec = json!({ "replicationConfiguration": { "rule": rules } });
            objects.push(self.object("ReplicationConfiguration", "registry", spec));
        }
        objects
    }
}

fn scanning(scanning: &Scanning) -> Value {
    let rules: Vec<Value> = scanning
        .rules
        .iter()
        .map(|(frequency, filters)| {
            let filter = |text: &String| json!({ "filter": text, "filterType": "WILDCARD" });
            let filters: Vec<Value> = filters.iter().map(filter).collect();
            json!({ "scanFrequency": frequency, "repositoryFilter": filters })
        })
        .collect();
    json!({ "scanType": scanning.kind, "rule": rules })
}

fn replication(rule: &ReplicationRule) -> Value {
    let destinations = rule.destinations.iter();
    let destinations: Vec<Value> =
        destinations.map(|(region, account)| json!({ "region": region, "registryId": account })).collect();
    let filters = rule.prefixes.iter();
    let filters: Vec<Value> =
        filters.map(|prefix| json!({ "filter": prefix, "filterType": "PREFIX_MATCH" })).collect();
    present(json!({ "destination": destinations, "repositoryFilter": filters }))
}
