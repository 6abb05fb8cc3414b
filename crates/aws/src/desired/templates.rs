//! Templates for what ECR makes, and the team's own repositories with their keys.

use super::{Build, DesiredError};
use crate::document;
use crate::resource::{Cipher, Key, Mutability, MutabilitySetting, Ref, Repository, Template};
use pullthru_core::config::{
    AppliedFor, Encryption, OwnRepositories, TagMutability, Tags, Template as TemplateFile,
};

impl Build<'_> {
    pub(super) fn templates(&mut self) {
        for file in &self.sources.provision.templates {
            match &file.prefix {
                Some(prefix) => self.template(prefix.value.trim_end_matches('/'), file),
                None => {
                    let named = |prefix: &String| {
                        let templates = self.sources.provision.templates.iter();
                        let mut prefixes = templates.filter_map(|template| template.prefix.as_ref());
                        prefixes.any(|named| named.value.trim_end_matches('/') == prefix)
                    };
                    let prefixes: Vec<String> =
                        self.desired.scope.prefixes.iter().filter(|prefix| !named(prefix)).cloned().collect();
                    prefixes.iter().for_each(|prefix| self.template(prefix, file));
                }
            }
        }
        self.desired.templates.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        self.desired.scope.tags = self.desired.templates.iter().any(|template| !template.tags.is_empty());
    }

    pub(super) fn template(&mut self, prefix: &str, file: &TemplateFile) {
        self.role_is_here(file.custom_role.as_ref());
        if let Some(lifecycle) = &file.lifecycle
            && lifecycle.keep.is_some()
            && lifecycle.expire_untagged_days.is_none()
        {
            // Children of an index have no tag of their own, so a rule that counts tags never takes them.
            self.desired.notes.push(format!(
                "the template `{prefix}` expires tags: the platforms of what expired have none, so they are kept and billed \
                 without `expire-untagged-days`"
            ));
        }
        // Tags and KMS are set by a role that ECR takes (user guide, "Repository creation templates"): tags of everything
        // are for what is made here, and go into a template only with tags of its own. The marker does not: ECR makes
        // these repositories.
        let mut tags = if file.tags.is_empty() { Tags::new() } else { self.sources.provision.tags.clone() };
        tags.extend(file.tags.clone());
        let cipher = match &file.encryption {
            Encryption::NewKmsKey(_) => {
                self.errors.push(DesiredError::TemplateKey { prefix: prefix.to_owned() });
                Cipher::Aes256
            }
            encryption => self.cipher(encryption),
        };
        let what = match (tags.is_empty(), cipher == Cipher::Aes256) {
            (false, true) => Some("tags"),
            (true, false) => Some("KMS"),
            (false, false) => Some("tags and KMS"),
            (true, true) => None,
        };
        if let Some(what) = what.filter(|_| file.custom_role.is_none()) {
            self.errors.push(DesiredError::TemplateRole { prefix: prefix.to_owned(), what });
        }
        let mut applied_for: Vec<String> =
            file.applied_for.iter().map(|use_| applied_id(*use_).to_owned()).collect();
        if applied_for.is_empty() {
            applied_for.push(applied_id(AppliedFor::PullThroughCache).to_owned());
        }
        applied_for.sort();
        applied_for.dedup();
        self.desired.templates.push(Template {
            prefix: prefix.to_owned(),
            stack: Some(self.desired.stack.clone()),
            description: file.description.clone().unwrap_or_else(|| "made by pullthru".to_owned()),
            applied_for,
            mutability: mutability(&file.tag_mutability),
            cipher,
            lifecycle: file.lifecycle.as_ref().map(document::lifecycle),
            policy: file.access.as_ref().and_then(|access| document::access(access, &self.desired.registry)),
            tags,
            custom_role: file.custom_role.clone(),
        });
    }

    /// A rule whose prefix has no template gets one like the template that covers it, else with ECR's defaults.
    pub(super) fn rule_templates(&mut self) {
        let covers = |template: &&Template, prefix: &str| {
            template.prefix == "ROOT"
                || prefix
                    .strip_prefix(&template.prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let depth = |template: &&Template| if template.prefix == "ROOT" { 0 } else { template.prefix.len() };
        let mut made = Vec::new();
        for rule in &self.desired.rules {
            if self.desired.templates.iter().any(|template| template.prefix == rule.prefix) {
                continue;
            }
            let for_cache = |template: &&Template| template.applied_for.iter().any(|use_| use_ == FOR_CACHE);
            let covering = self.desired.templates.iter().filter(for_cache);
            let covering = covering.filter(|template| covers(template, &rule.prefix)).max_by_key(depth);
            made.push(match covering {
                Some(template) => Template { prefix: rule.prefix.clone(), ..template.clone() },
                None => Template {
                    prefix: rule.prefix.clone(),
                    description: "made by pullthru".to_owned(),
                    stack: Some(self.desired.stack.clone()),
                    applied_for: vec![FOR_CACHE.to_owned()],
                    mutability: Mutability::default(),
                    cipher: Cipher::Aes256,
                    lifecycle: None,
                    policy: None,
                    tags: Tags::new(),
                    custom_role: None,
                },
            });
        }
        self.desired.rule_templates = made;
    }

    pub(super) fn cipher(&mut self, encryption: &Encryption) -> Cipher {
        match encryption {
            Encryption::Aes256 => Cipher::Aes256,
            Encryption::Kms => Cipher::Kms(None),
            Encryption::KmsKey(arn) => Cipher::Kms(Some(Ref::Given(arn.clone()))),
            Encryption::NewKmsKey(alias) => {
                if !self.desired.keys.iter().any(|key| key.alias == alias.as_str()) {
                    self.desired.keys.push(Key {
                        alias: alias.to_string(),
                        description: "layers of ECR repositories; made by pullthru".to_owned(),
                        policy: document::key_policy(&self.desired.registry),
                        tags: self.tags(&Tags::new()),
                    });
                }
                Cipher::Kms(Some(Ref::Made(alias.to_string())))
            }
        }
    }

    pub(super) fn repositories(&mut self) {
        for group in &self.sources.provision.repositories {
            let cipher = self.cipher(&group.encryption);
            for name in &group.names {
                let repository = self.repository(&name.value, group, cipher.clone());
                self.desired.repositories.push(repository);
            }
        }
        self.desired.repositories.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.scope.repositories =
            self.desired.repositories.iter().map(|repository| repository.name.clone()).collect();
    }

    pub(super) fn repository(&self, name: &str, group: &OwnRepositories, cipher: Cipher) -> Repository {
        Repository {
            name: name.to_owned(),
            mutability: mutability(&group.tag_mutability),
            scan_on_push: group.scan_on_push,
            cipher,
            lifecycle: group.lifecycle.as_ref().map(document::lifecycle),
            policy: group.access.as_ref().and_then(|access| document::access(access, &self.desired.registry)),
            tags: self.tags(&group.tags),
            force_delete: group.force_delete,
        }
    }
}

fn mutability(file: &TagMutability) -> Mutability {
    let (setting, patterns) = match file {
        TagMutability::Mutable => (MutabilitySetting::Mutable, None),
        TagMutability::Immutable => (MutabilitySetting::Immutable, None),
        TagMutability::MutableExcept(patterns) => (MutabilitySetting::MutableWithExclusion, Some(patterns)),
        TagMutability::ImmutableExcept(patterns) => {
            (MutabilitySetting::ImmutableWithExclusion, Some(patterns))
        }
    };
    let mut except: Vec<String> = patterns.into_iter().flatten().map(|pattern| pattern.to_string()).collect();
    except.sort();
    Mutability { setting, except }
}

/// What a template for pull through cache is applied for.
const FOR_CACHE: &str = "PULL_THROUGH_CACHE";

fn applied_id(use_: AppliedFor) -> &'static str {
    match use_ {
        AppliedFor::PullThroughCache => FOR_CACHE,
        AppliedFor::Replication => "REPLICATION",
        AppliedFor::CreateOnPush => "CREATE_ON_PUSH",
    }
}
