//! Objects of AWS Controllers for Kubernetes: the CRDs of ecr-controller 1.8 and secretsmanager-controller 1.4.
//!
//! A Secret's value is read from a Secret of Kubernetes that is made elsewhere: no token is written here. Names of objects
//! are those of prefixes. A controller works in the account and Region of its own unless an annotation says another Region.

use serde_json::{Value, json};

use super::identifiers::Identifiers;
use super::objects::{
    Objects, encryption, exclusions, file, has_new_key, note, notes, object_name, present, text,
};
use super::tags;
use crate::Desired;
use crate::names::Case;
use crate::resource::{Ref, Repository, Rule, Secret, Template};
use pullthru_core::config::Tags;

const MARK: &str = "Written by `pullthru provision export ack`";
const ECR: &str = "ecr.services.k8s.aws/v1alpha1";
const SECRETS: &str = "secretsmanager.services.k8s.aws/v1alpha1";

/// The objects for one Region, in a namespace.
pub fn ack(desired: &Desired, namespace: &str) -> Objects {
    let export = Export { desired, namespace, names: Identifiers::new(desired, Case::Kebab) };
    let mut objects: Vec<Value> = desired.secrets.iter().map(|secret| export.secret(secret)).collect();
    objects.extend(desired.templates.iter().map(|template| export.template(template)));
    objects.extend(desired.rules.iter().map(|rule| export.rule(rule)));
    let repositories = desired.repositories.iter().filter(|repository| !has_new_key(&repository.cipher));
    objects.extend(repositories.map(|repository| export.repository(repository)));
    let mut notes = notes(desired);
    let statements = desired.statements.iter().map(|statement| statement.sid.clone()).collect();
    let scanning = desired.scanning.iter().flat_map(|scanning| scanning.rules.values().flatten().cloned());
    let replication = desired.replication.iter().map(ToString::to_string).collect();
    let other = "terraform|cloudformation";
    notes.extend(note("the registry's policy", statements, other));
    notes.extend(note("scanning of", scanning.collect(), other));
    notes.extend(note("replication", replication, other));
    for secret in &desired.secrets {
        let (name, upstream) = (export.login_name(secret), &secret.upstream);
        notes.push(format!(
            "the Secret `{name}` of the namespace `{namespace}` has to hold the login at {upstream} as `value`: \
             {{\"username\": …, \"accessToken\": …}}"
        ));
    }
    Objects { file: file(MARK, &objects), notes }
}

struct Export<'a> {
    desired: &'a Desired,
    namespace: &'a str,
    names: Identifiers<'a>,
}

impl Export<'_> {
    fn object(&self, version: &str, kind: &str, name: &str, spec: Value) -> Value {
        let region = self.desired.registry.region.as_str();
        json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": object_name(self.desired, name),
                "namespace": self.namespace,
                "annotations": { "services.k8s.aws/region": region },
            },
            "spec": present(spec),
        })
    }

    /// The Secret of Kubernetes with a login.
    fn login_name(&self, secret: &Secret) -> String {
        format!("{}-login", self.names.secret(&secret.name))
    }

    /// Without a key: ECR reads secrets under the one that AWS manages only.
    fn secret(&self, secret: &Secret) -> Value {
        let spec = json!({
            "name": secret.name,
            "description": format!("login at {} for Amazon ECR's pull through cache", secret.upstream),
            "secretString": {
                "name": self.login_name(secret), "namespace": self.namespace, "key": "value",
            },
            "tags": list(&secret.tags),
        });
        self.object(SECRETS, "Secret", self.names.secret(&secret.name), spec)
    }

    fn template(&self, template: &Template) -> Value {
        let spec = json!({
            "prefix": template.prefix,
            "description": template.description,
            "appliedFor": template.applied_for,
            "imageTagMutability": template.mutability.setting.id(),
            "imageTagMutabilityExclusionFilters": exclusions(&template.mutability),
            "encryptionConfiguration": encryption(&template.cipher),
            "lifecyclePolicy": text(template.lifecycle.as_ref()),
            "repositoryPolicy": text(template.policy.as_ref()),
            "resourceTags": list(&template.tags),
            "customRoleARN": template.custom_role.as_ref().map(ToString::to_string),
        });
        self.object(ECR, "RepositoryCreationTemplate", &self.names.templates.of(&template.prefix), spec)
    }

    fn rule(&self, rule: &Rule) -> Value {
        let (mut arn, mut reference) = (Value::Null, Value::Null);
        match &rule.credential {
            Some(Ref::Made(name)) => {
                let name = object_name(self.desired, self.names.secret(name));
                reference = json!({ "from": { "name": name } });
            }
            Some(Ref::Given(given)) => arn = given.to_string().into(),
            None => {}
        }
        let spec = json!({
            "registryID": self.desired.registry.account.as_str(),
            "ecrRepositoryPrefix": rule.prefix,
            "upstreamRegistry": rule.upstream_registry,
            "upstreamRegistryURL": rule.upstream_url,
            "upstreamRepositoryPrefix": Some(&rule.upstream_prefix).filter(|prefix| *prefix != "ROOT"),
            "credentialARN": arn,
            "credentialRef": reference,
            "customRoleARN": rule.custom_role.as_ref().map(ToString::to_string),
        });
        self.object(ECR, "PullThroughCacheRule", &self.names.rules.of(&rule.prefix), spec)
    }

    fn repository(&self, repository: &Repository) -> Value {
        let spec = json!({
            "registryID": self.desired.registry.account.as_str(),
            "name": repository.name,
            "imageTagMutability": repository.mutability.setting.id(),
            "imageTagMutabilityExclusionFilters": exclusions(&repository.mutability),
            "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
            "encryptionConfiguration": encryption(&repository.cipher),
            "lifecyclePolicy": text(repository.lifecycle.as_ref()),
            "policy": text(repository.policy.as_ref()),
            "tags": list(&repository.tags),
        });
        self.object(ECR, "Repository", &self.names.repositories.of(&repository.name), spec)
    }
}

fn list(own: &Tags) -> Vec<Value> {
    tags(own, "ack").iter().map(|(name, value)| json!({ "key": name, "value": value })).collect()
}
