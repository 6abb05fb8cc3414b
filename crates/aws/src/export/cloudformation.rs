//! One CloudFormation template, in JSON: it is YAML too, and a serializer writes it, so that no account number or date
//! is taken for another type.
//!
//! No token goes through it. A `NoEcho` parameter is given on a command line, and the service keeps it for later updates;
//! so the secret is made with a random value in the right shape, and `aws secretsmanager put-secret-value` writes the
//! token, which no later update of the stack touches.

use serde_json::{Map, Value, json};

use super::identifiers::{Identifiers, Login};
use super::{File, registry_policy, tags, templates_of};
use crate::Desired;
use crate::names::Case;
use crate::resource::{Cipher, Key, Mutability, Ref, Repository, Rule, Template};
use pullthru_core::config::Tags;

const MARK: &str = "pullthru provision export cloudformation";

/// The template for one Region; `None` where it has no resource: CloudFormation refuses such a template.
pub fn cloudformation(desired: &Desired) -> Option<File> {
    let mut stack = Stack::new(desired);
    stack.secrets();
    stack.keys();
    stack.roles();
    stack.policies();
    stack.templates();
    stack.rules();
    stack.registry();
    stack.repositories();
    stack.outputs();
    if stack.resources.is_empty() {
        return None;
    }
    let registry = &desired.registry;
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!(
            "Amazon ECR pull through cache of account {} in {}. The settings of the registry are taken over as a whole.",
            registry.account, registry.region
        ),
        "Metadata": { "WrittenBy": format!("{MARK}: change pullthru.yaml and export again") },
        "Parameters": stack.parameters,
        "Resources": stack.resources,
        "Outputs": stack.outputs,
    });
    if stack.parameters.is_empty()
        && let Some(template) = template.as_object_mut()
    {
        template.remove("Parameters");
    }
    Some(File { name: "ecr.json".to_owned(), text: format!("{template:#}\n"), mark: MARK })
}

struct Stack<'a> {
    desired: &'a Desired,
    names: Identifiers<'a>,
    parameters: Map<String, Value>,
    resources: Map<String, Value>,
    outputs: Map<String, Value>,
}

impl<'a> Stack<'a> {
    fn new(desired: &'a Desired) -> Stack<'a> {
        Stack {
            desired,
            names: Identifiers::new(desired, Case::Pascal),
            parameters: Map::new(),
            resources: Map::new(),
            outputs: Map::new(),
        }
    }

    fn add(&mut self, id: String, kind: &str, properties: Value, depends_on: Vec<String>) {
        let mut resource = Map::from_iter([("Type".to_owned(), json!(kind))]);
        if !depends_on.is_empty() {
            resource.insert("DependsOn".to_owned(), json!(depends_on));
        }
        resource.insert("Properties".to_owned(), present(properties));
        self.resources.insert(id, Value::Object(resource));
    }

    fn secrets(&mut self) {
        for (id, login) in self.names.logins.clone() {
            let Login::Made(secret) = login else { continue };
            let mut parameter = json!({
                "Type": "String",
                "MinLength": 1,
                // It becomes part of a JSON text.
                "AllowedPattern": "^[^\"\\\\]+$",
                "Description": format!("User of the login at {}. A change makes the token anew: write it again.", secret.upstream),
                "Default": secret.username,
            });
            if let Some(parameter) = parameter.as_object_mut() {
                parameter.retain(|_, value| !value.is_null());
            }
            self.parameters.insert(format!("{id}Username"), parameter);
            let start = json!({ "Fn::Sub": format!("{{\"username\":\"${{{id}Username}}\"}}") });
            let properties = json!({
                "Name": secret.name,
                "Description": format!("login at {} for Amazon ECR's pull through cache", secret.upstream),
                "GenerateSecretString": {
                    "SecretStringTemplate": start,
                    "GenerateStringKey": "accessToken",
                    "ExcludePunctuation": true,
                },
                "Tags": list(&secret.tags),
            });
            self.add(format!("{id}Secret"), "AWS::SecretsManager::Secret", properties, Vec::new());
        }
    }

    fn keys(&mut self) {
        for key in &self.desired.keys {
            let id = self.names.keys.of(&key.alias);
            let properties = json!({
                "Description": key.description,
                "EnableKeyRotation": true,
                "KeyPolicy": key.policy,
                "PendingWindowInDays": 30,
                "Tags": list(&key.tags),
            });
            self.add(format!("{id}Key"), "AWS::KMS::Key", properties, Vec::new());
            let alias = json!({
                "AliasName": format!("alias/{}", key.alias),
                "TargetKeyId": { "Ref": format!("{id}Key") },
            });
            self.add(format!("{id}Alias"), "AWS::KMS::Alias", alias, Vec::new());
        }
    }

    fn roles(&mut self) {
        for role in &self.desired.roles {
            let properties = json!({
                "RoleName": role.name,
                "Description": role.description,
                "AssumeRolePolicyDocument": role.trust,
                "Tags": list(&role.tags),
            });
            self.add(
                format!("{}Role", self.names.roles.of(&role.name)),
                "AWS::IAM::Role",
                properties,
                Vec::new(),
            );
        }
    }

    fn policies(&mut self) {
        for policy in &self.desired.policies {
            let roles: Vec<Value> = policy
                .attach_to
                .iter()
                .map(|name| match self.has_role(name) {
                    true => json!({ "Ref": format!("{}Role", self.names.roles.of(name)) }),
                    false => json!(name),
                })
                .collect();
            let properties = json!({
                "ManagedPolicyName": policy.name,
                "Description": policy.description,
                "PolicyDocument": policy.document,
                "Roles": roles,
            });
            let id = format!("{}Policy", self.names.policies.of(&policy.name));
            self.add(id, "AWS::IAM::ManagedPolicy", properties, Vec::new());
        }
    }

    fn templates(&mut self) {
        for template in &self.desired.templates {
            let properties = self.template(template);
            let id = format!("{}Template", self.names.templates.of(&template.prefix));
            self.add(id, "AWS::ECR::RepositoryCreationTemplate", properties, Vec::new());
        }
    }

    fn template(&self, template: &Template) -> Value {
        json!({
            "Prefix": template.prefix,
            "Description": template.description,
            "AppliedFor": template.applied_for,
            "ImageTagMutability": template.mutability.setting.id(),
            "ImageTagMutabilityExclusionFilters": exclusions(&template.mutability),
            "EncryptionConfiguration": self.cipher(&template.cipher),
            "LifecyclePolicy": template.lifecycle.as_ref().map(ToString::to_string),
            "RepositoryPolicy": template.policy.as_ref().map(ToString::to_string),
            "ResourceTags": list(&template.tags),
            "CustomRoleArn": template.custom_role.as_ref().map(ToString::to_string),
        })
    }

    fn rules(&mut self) {
        for rule in &self.desired.rules {
            let before = templates_of(self.desired, rule)
                .map(|prefix| format!("{}Template", self.names.templates.of(prefix)))
                .collect();
            let properties = self.rule(rule);
            let id = format!("{}Rule", self.names.rules.of(&rule.prefix));
            self.add(id, "AWS::ECR::PullThroughCacheRule", properties, before);
        }
    }

    fn rule(&self, rule: &Rule) -> Value {
        let credential = rule.credential.as_ref().map(|credential| match credential {
            Ref::Made(name) => json!({ "Ref": self.secret(name) }),
            Ref::Given(arn) => json!(arn.to_string()),
        });
        json!({
            "EcrRepositoryPrefix": rule.prefix,
            "UpstreamRegistry": rule.upstream_registry,
            "UpstreamRegistryUrl": rule.upstream_url,
            "UpstreamRepositoryPrefix": Some(&rule.upstream_prefix).filter(|prefix| *prefix != "ROOT"),
            "CredentialArn": credential,
            "CustomRoleArn": rule.custom_role.as_ref().map(ToString::to_string),
        })
    }

    fn registry(&mut self) {
        let desired = self.desired;
        if let Some(scanning) = &desired.scanning {
            let filter = |text: &String| json!({ "Filter": text, "FilterType": "WILDCARD" });
            // What no rule names is scanned by hand: the resource has no word for it.
            let rules = scanning.rules.iter().filter(|(frequency, _)| *frequency != "MANUAL");
            let rules: Vec<Value> = rules
                .map(|(frequency, filters)| {
                    let filters: Vec<Value> = filters.iter().map(filter).collect();
                    json!({ "ScanFrequency": frequency, "RepositoryFilters": filters })
                })
                .collect();
            let mut properties = Map::from_iter([("ScanType".to_owned(), json!(scanning.kind))]);
            properties.insert("Rules".to_owned(), json!(rules));
            let resource =
                json!({ "Type": "AWS::ECR::RegistryScanningConfiguration", "Properties": properties });
            self.resources.insert("Scanning".to_owned(), resource);
        }
        if let Some(text) = registry_policy(desired) {
            let properties = json!({ "PolicyText": text });
            self.add("RegistryPolicy".to_owned(), "AWS::ECR::RegistryPolicy", properties, Vec::new());
        }
        if !desired.replication.is_empty() {
            let rules: Vec<Value> = desired.replication.iter().map(replication).collect();
            let properties = json!({ "ReplicationConfiguration": { "Rules": rules } });
            self.add("Replication".to_owned(), "AWS::ECR::ReplicationConfiguration", properties, Vec::new());
        }
    }

    fn repositories(&mut self) {
        for repository in &self.desired.repositories {
            let properties = self.repository(repository);
            let id = format!("{}Repository", self.names.repositories.of(&repository.name));
            self.add(id, "AWS::ECR::Repository", properties, Vec::new());
        }
    }

    fn repository(&self, repository: &Repository) -> Value {
        json!({
            "RepositoryName": repository.name,
            "ImageTagMutability": repository.mutability.setting.id(),
            "ImageTagMutabilityExclusionFilters": exclusions(&repository.mutability),
            "ImageScanningConfiguration": { "ScanOnPush": repository.scan_on_push },
            "EncryptionConfiguration": self.cipher(&repository.cipher),
            "LifecyclePolicy": repository.lifecycle.as_ref().map(|text| json!({ "LifecyclePolicyText": text.to_string() })),
            "RepositoryPolicyText": repository.policy,
            "EmptyOnDelete": repository.force_delete,
            "Tags": list(&repository.tags),
        })
    }

    fn outputs(&mut self) {
        let registry = &self.desired.registry;
        let host = registry.host();
        let mut add = |id: &str, description: &str, value: Value| {
            self.outputs.insert(id.to_owned(), json!({ "Description": description, "Value": value }));
        };
        add("RegistryId", "Account of the registry.", json!({ "Ref": "AWS::AccountId" }));
        add("EcrRegistryUrl", "Host that images are pulled from.", json!(host.to_string()));
        for rule in &self.desired.rules {
            let id = self.names.rules.of(&rule.prefix);
            let description = format!("Prefix of {} at the registry; ROOT for none.", rule.upstream_url);
            add(&format!("{id}Prefix"), &description, json!({ "Ref": format!("{id}Rule") }));
        }
        for (id, login) in &self.names.logins {
            let value = match login {
                Login::Made(_) => json!({ "Ref": format!("{id}Secret") }),
                Login::Given(arn) => json!(arn.to_string()),
            };
            add(&format!("{id}CredentialSecretArn"), "ARN of the secret with the login.", value);
        }
        let of_each = |attribute: &str| {
            let of = |one: &Repository| json!({ "Fn::GetAtt": [format!("{}Repository", self.names.repositories.of(&one.name)), attribute] });
            let values: Vec<Value> = self.desired.repositories.iter().map(of).collect();
            json!({ "Fn::Join": [",", values] })
        };
        if !self.desired.repositories.is_empty() {
            add("RepositoryUrls", "Where images are pushed to.", of_each("RepositoryUri"));
            add("RepositoryArns", "ARNs of the repositories.", of_each("Arn"));
        }
        if let [one] = self.desired.repositories.as_slice() {
            let id = format!("{}Repository", self.names.repositories.of(&one.name));
            add("RepositoryName", "The repository.", json!({ "Ref": id }));
        }
        let of_key = |key: &Key| {
            let id = self.names.keys.of(&key.alias);
            (format!("{id}KeyArn"), json!({ "Fn::GetAtt": [format!("{id}Key"), "Arn"] }))
        };
        for (id, arn) in self.desired.keys.iter().map(of_key) {
            add(&id, "ARN of a key of repositories.", arn);
        }
        for policy in &self.desired.policies {
            let id = format!("{}Policy", self.names.policies.of(&policy.name));
            add(&format!("{id}Arn"), &format!("ARN of the policy {}.", policy.name), json!({ "Ref": id }));
        }
        for role in &self.desired.roles {
            let id = format!("{}Role", self.names.roles.of(&role.name));
            let arn = json!({ "Fn::GetAtt": [id, "Arn"] });
            add(&format!("{id}Arn"), &format!("ARN of the role {}.", role.name), arn);
        }
        let login = format!(
            "aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {host}",
            registry.region
        );
        add("DockerLoginCommand", "Logs Docker in at the registry, for 12 hours.", json!(login));
    }

    fn has_role(&self, name: &str) -> bool {
        self.desired.roles.iter().any(|role| role.name == name)
    }

    fn secret(&self, name: &str) -> String {
        format!("{}Secret", self.names.secret(name))
    }

    fn cipher(&self, cipher: &Cipher) -> Value {
        match cipher {
            Cipher::Aes256 => json!({ "EncryptionType": "AES256" }),
            Cipher::Kms(None) => json!({ "EncryptionType": "KMS" }),
            Cipher::Kms(Some(Ref::Given(arn))) => {
                json!({ "EncryptionType": "KMS", "KmsKey": arn.to_string() })
            }
            Cipher::Kms(Some(Ref::Made(alias))) => {
                let arn = json!({ "Fn::GetAtt": [format!("{}Key", self.names.keys.of(alias)), "Arn"] });
                json!({ "EncryptionType": "KMS", "KmsKey": arn })
            }
        }
    }
}

fn replication(rule: &crate::resource::ReplicationRule) -> Value {
    let destinations = rule.destinations.iter();
    let destinations: Vec<Value> =
        destinations.map(|(region, account)| json!({ "Region": region, "RegistryId": account })).collect();
    let filters = rule.prefixes.iter();
    let filters: Vec<Value> =
        filters.map(|prefix| json!({ "Filter": prefix, "FilterType": "PREFIX_MATCH" })).collect();
    present(json!({ "Destinations": destinations, "RepositoryFilters": filters }))
}

fn exclusions(mutability: &Mutability) -> Vec<Value> {
    let filter = |pattern: &String| {
        json!({
            "ImageTagMutabilityExclusionFilterType": "WILDCARD",
            "ImageTagMutabilityExclusionFilterValue": pattern,
        })
    };
    mutability.except.iter().map(filter).collect()
}

fn list(own: &Tags) -> Vec<Value> {
    tags(own, "cloudformation").iter().map(|(name, value)| json!({ "Key": name, "Value": value })).collect()
}

/// Without the properties that are not there: `null` and empty lists.
fn present(mut properties: Value) -> Value {
    if let Some(properties) = properties.as_object_mut() {
        properties
            .retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    properties
}
