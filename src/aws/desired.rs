//! From `provision:` and the upstreams in use to resources: everything with its name, its tags and its defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::Registry;
use super::document::{self, SID, Scope};
use super::resource::{
    Cipher, Key, MARKER, Mutability, MutabilitySetting, Policy, Ref, ReplicationRule, Repository, Role, Rule,
    Scanning, Secret, Statement, Template,
};
use crate::config::{
    AppliedFor, Arn, Credential, Encryption, Extent, OwnRepositories, PolicyKind, Provision, SECRET_PREFIX,
    ScanFrequency, ScanType, TagMutability, Tags, Template as TemplateFile,
};
use crate::route::{Credential as Needs, EcrHost, Region, Route, Routes, api_url, upstream_for};

/// Everything that a registry is to have.
#[derive(Clone, Debug)]
pub struct Desired {
    pub registry: Registry,
    pub keys: Vec<Key>,
    pub secrets: Vec<Secret>,
    pub roles: Vec<Role>,
    pub policies: Vec<Policy>,
    pub statements: Vec<Statement>,
    pub templates: Vec<Template>,
    pub rules: Vec<Rule>,
    /// `None`: not ours to say.
    pub scanning: Option<Scanning>,
    pub replication: Vec<ReplicationRule>,
    pub repositories: Vec<Repository>,
    /// What the documents are about.
    pub scope: Scope,
    /// What a person should know, besides.
    pub notes: Vec<String>,
}

/// What `provision:` asks for that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesiredError {
    #[error(
        "the secret `{arn}` is not in account {account} and Region {region}: ECR reads a secret only where its rule is"
    )]
    SecretElsewhere { arn: Arn, account: String, region: String },
    #[error(
        "the upstream `{upstream}` is in account {theirs}: its rule needs a `custom-role` of account {ours}"
    )]
    RoleMissing { upstream: String, theirs: String, ours: String },
    #[error("the role `{arn}` is not in account {account}: ECR takes roles of the registry's account only")]
    RoleElsewhere { arn: Arn, account: String },
    #[error("`{region}` is the registry's own Region: ECR replicates to other Regions or accounts only")]
    ReplicatesToItself { region: Region },
    #[error("{0}")]
    NoCache(String),
}

/// What a registry is provisioned from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub provision: &'a Provision,
    pub routes: &'a Routes,
    /// Names of credentials by prefix, where `upstreams:` has them.
    pub credentials: &'a BTreeMap<String, String>,
    /// Prefixes of routes that the repository uses.
    pub used: &'a BTreeSet<String>,
}

impl Desired {
    /// `registry` is the cache's, or the same in one of `provision.regions`: that one gets rules, secrets, templates and
    /// their keys, and nothing that is global or only the home's.
    ///
    /// # Errors
    /// All [`DesiredError`]s.
    pub fn new(sources: Sources<'_>, home: &Registry, region: &Region) -> Result<Desired, Vec<DesiredError>> {
        let registry = Registry { region: region.clone(), ..home.clone() };
        if let Err(reason) = crate::route::pull_through_available(region) {
            return Err(vec![DesiredError::NoCache(reason.to_owned())]);
        }
        let regions = std::iter::once(home.region.clone()).chain(sources.provision.regions.iter().cloned());
        let mut all: Vec<Region> = Vec::new();
        regions.for_each(|region| {
            if !all.contains(&region) {
                all.push(region)
            }
        });
        let scope = Scope {
            registry: home.clone(),
            regions: all,
            prefixes: Vec::new(),
            repositories: Vec::new(),
            name_prefix: sources.provision.iam.name_prefix.clone(),
            tags: false,
        };
        let mut build = Build {
            sources,
            desired: Desired {
                registry,
                keys: Vec::new(),
                secrets: Vec::new(),
                roles: Vec::new(),
                policies: Vec::new(),
                statements: Vec::new(),
                templates: Vec::new(),
                rules: Vec::new(),
                scanning: None,
                replication: Vec::new(),
                repositories: Vec::new(),
                scope,
                notes: Vec::new(),
            },
            errors: Vec::new(),
        };
        build.rules();
        build.repositories();
        build.templates();
        if region == &home.region {
            build.registry_settings();
            build.iam();
        } else {
            build.desired.roles.clear();
            build.desired.repositories.clear();
            let templates = &build.desired.templates;
            let used: BTreeSet<&str> = templates.iter().filter_map(|t| made_key(&t.cipher)).collect();
            build.desired.keys.retain(|key| used.contains(key.alias.as_str()));
        }
        if build.errors.is_empty() { Ok(build.desired) } else { Err(build.errors) }
    }
}

struct Build<'a> {
    sources: Sources<'a>,
    desired: Desired,
    errors: Vec<DesiredError>,
}

impl Build<'_> {
    fn rules(&mut self) {
        let routes: Vec<&Route> = self.sources.routes.iter().collect();
        for route in routes {
            let prefix = route.prefix.to_string();
            let wanted = self.sources.provision.upstreams == Extent::Configured;
            if !wanted && !self.sources.used.contains(&prefix) {
                let note =
                    format!("`{}` is configured and no image of it is used: it gets no rule", route.host);
                self.desired.notes.push(note);
                continue;
            }
            let credential = self.sources.credentials.get(&prefix).cloned();
            self.rule(&prefix, &route.host, &route.upstream_prefix.to_string(), credential, None);
        }
        for own in &self.sources.provision.rules {
            let prefix = own.prefix().map(|prefix| prefix.to_string()).unwrap_or_default();
            let upstream_prefix = own.upstream_prefix.clone().unwrap_or_default().to_string();
            let credential = own.credential.as_ref().map(|name| name.value.clone());
            self.rule(&prefix, &own.upstream.value, &upstream_prefix, credential, own.custom_role.clone());
        }
        self.desired.rules.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        self.desired.secrets.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.scope.prefixes = self.desired.rules.iter().map(|rule| rule.prefix.clone()).collect();
    }

    fn rule(
        &mut self,
        prefix: &str,
        host: &str,
        upstream_prefix: &str,
        credential: Option<String>,
        custom_role: Option<Arn>,
    ) {
        let (Some(upstream), Some(url)) = (upstream_for(host), api_url(host)) else { return };
        let credential = match (upstream.credential, credential) {
            (Needs::None, None) | (Needs::Role, _) => None,
            (_, Some(name)) => Some(self.secret(&name, host)),
            (Needs::Secret, None) => Some(self.secret(&prefix.replace('/', "-"), host)),
        };
        if let Ok(other) = host.parse::<EcrHost>()
            && other.account != self.desired.registry.account
            && custom_role.is_none()
        {
            self.errors.push(DesiredError::RoleMissing {
                upstream: host.to_owned(),
                theirs: other.account.to_string(),
                ours: self.desired.registry.account.to_string(),
            });
        }
        self.role_is_here(custom_role.as_ref());
        self.desired.rules.push(Rule {
            prefix: prefix.to_owned(),
            upstream_registry: upstream.id.to_owned(),
            upstream_url: url,
            upstream_prefix: upstream_prefix.to_owned(),
            credential,
            custom_role: custom_role.map(Ref::Given),
        });
    }

    fn role_is_here(&mut self, role: Option<&Arn>) {
        if let Some(arn) = role.filter(|arn| arn.account != self.desired.registry.account.as_str()) {
            let account = self.desired.registry.account.to_string();
            self.errors.push(DesiredError::RoleElsewhere { arn: arn.clone(), account });
        }
    }

    /// The secret of a credential, made once however many rules use it.
    fn secret(&mut self, name: &str, host: &str) -> Ref {
        let file = self.sources.provision.credentials.iter().find(|(known, _)| known.value == name);
        let file = file.map(|(_, credential)| credential.clone()).unwrap_or_default();
        let Credential { secret, arn, username, token, recovery_window_days, tags } = file;
        if let Some(arn) = arn {
            let registry = &self.desired.registry;
            if !arn.lies_in(&registry.account, &registry.region) {
                let (account, region) = (registry.account.to_string(), registry.region.to_string());
                self.errors.push(DesiredError::SecretElsewhere { arn: arn.clone(), account, region });
            }
            return Ref::Given(arn);
        }
        let secret = secret.map_or_else(|| format!("{SECRET_PREFIX}{name}"), |name| name.to_string());
        if !self.desired.secrets.iter().any(|known| known.name == secret) {
            let tags = self.tags(&tags);
            self.desired.secrets.push(Secret {
                name: secret.clone(),
                credential: name.to_owned(),
                upstream: host.to_owned(),
                username,
                token,
                recovery_window_days: recovery_window_days.unwrap_or(30),
                tags,
            });
        }
        Ref::Made(secret)
    }

    /// Tags of a resource: those of everything, its own, and the marker, which nobody can take away.
    fn tags(&self, own: &Tags) -> Tags {
        let mut tags = self.sources.provision.tags.clone();
        tags.extend(own.clone());
        tags.insert(MARKER.0.to_owned(), MARKER.1.to_owned());
        tags
    }

    fn templates(&mut self) {
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
        self.template_role();
    }

    fn template(&mut self, prefix: &str, file: &TemplateFile) {
        self.role_is_here(file.custom_role.as_ref());
        if let Some(lifecycle) = &file.lifecycle
            && lifecycle.keep.is_some()
            && lifecycle.expire_untagged_days.is_none()
        {
            // Children of an index have no tag of their own, so a rule that counts tags never takes them.
            self.desired.notes.push(format!(
                "the template `{prefix}` expires tags: the platforms of what expired have none, and stay and are billed \
                 without `expire-untagged-days`"
            ));
        }
        // Tags and KMS are set by a role that ECR takes (user guide, "Repository creation templates"): tags of everything
        // are for what is made here, and go into a template only with tags of its own. The marker does not: ECR makes
        // these repositories.
        let mut tags = if file.tags.is_empty() { Tags::new() } else { self.sources.provision.tags.clone() };
        tags.extend(file.tags.clone());
        let cipher = self.cipher(&file.encryption);
        let needs_role = !tags.is_empty() || cipher != Cipher::Aes256;
        let made = || needs_role.then(|| Ref::Made(self.template_role_name()));
        let custom_role = file.custom_role.clone().map(Ref::Given).or_else(made);
        let mut applied_for: Vec<String> =
            file.applied_for.iter().map(|use_| applied_id(*use_).to_owned()).collect();
        if applied_for.is_empty() {
            applied_for.push(applied_id(AppliedFor::PullThroughCache).to_owned());
        }
        applied_for.sort();
        applied_for.dedup();
        self.desired.templates.push(Template {
            prefix: prefix.to_owned(),
            description: file.description.clone().unwrap_or_else(|| "made by pullthru".to_owned()),
            applied_for,
            mutability: mutability(&file.tag_mutability),
            cipher,
            lifecycle: file.lifecycle.as_ref().map(document::lifecycle),
            policy: file.access.as_ref().and_then(|access| document::access(access, &self.desired.registry)),
            tags,
            custom_role,
        });
    }

    fn template_role_name(&self) -> String {
        format!("{}template", self.sources.provision.iam.name_prefix)
    }

    /// The role that templates use which name none of their own.
    fn template_role(&mut self) {
        let name = self.template_role_name();
        let made = Some(Ref::Made(name.clone()));
        let users: Vec<&Template> = self.desired.templates.iter().filter(|t| t.custom_role == made).collect();
        if users.is_empty() {
            return;
        }
        let given = users.iter().filter_map(|template| match &template.cipher {
            Cipher::Kms(Some(Ref::Given(arn))) => Some(arn.to_string()),
            _ => None,
        });
        let keys: BTreeSet<String> = given.collect();
        let aliases: BTreeSet<String> =
            users.iter().filter_map(|t| made_key(&t.cipher)).map(str::to_owned).collect();
        let (keys, aliases): (Vec<_>, Vec<_>) = (keys.into_iter().collect(), aliases.into_iter().collect());
        let may = document::template_role(&self.desired.scope, &keys, &aliases);
        self.desired.roles.push(Role {
            name,
            description: "ECR makes repositories with tags and KMS by it; made by pullthru".to_owned(),
            trust: document::trust_service("ecr.amazonaws.com", &self.desired.registry),
            inline: BTreeMap::from([("repositories".to_owned(), may)]),
            tags: self.tags(&Tags::new()),
        });
    }

    fn cipher(&mut self, encryption: &Encryption) -> Cipher {
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

    fn repositories(&mut self) {
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

    fn repository(&self, name: &str, group: &OwnRepositories, cipher: Cipher) -> Repository {
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

    fn registry_settings(&mut self) {
        let settings = &self.sources.provision.registry;
        if let Some(scanning) = &settings.scanning {
            let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for rule in &scanning.rules {
                let filters = rules.entry(frequency_id(rule.frequency).to_owned()).or_default();
                filters.extend(rule.filters.iter().map(|filter| filter.to_string()));
            }
            if scanning.rules.is_empty() {
                let below = self.desired.scope.prefixes.iter().map(|prefix| match prefix.as_str() {
                    "ROOT" => "*".to_owned(),
                    prefix => format!("{prefix}/*"),
                });
                rules.insert(frequency_id(ScanFrequency::ScanOnPush).to_owned(), below.collect());
            }
            for filters in rules.values_mut() {
                filters.sort();
                filters.dedup();
            }
            rules.retain(|_, filters| !filters.is_empty());
            let kind = match scanning.kind {
                ScanType::Basic => "BASIC",
                ScanType::Enhanced => "ENHANCED",
            };
            self.desired.scanning = Some(Scanning { kind: kind.to_owned(), rules });
        }
        if let Some(policy) = &settings.policy {
            let imported = document::registry_statement(policy, &self.desired.scope);
            let whole = imported.into_iter().chain(policy.statements.iter().cloned());
            self.desired.statements = whole
                .map(|statement| Statement {
                    sid: statement.get("Sid").and_then(|sid| sid.as_str()).unwrap_or(SID).to_owned(),
                    statement,
                })
                .collect();
            self.desired.statements.sort_by(|a, b| a.sid.cmp(&b.sid));
        }
        self.replication();
    }

    fn replication(&mut self) {
        let home = self.desired.registry.clone();
        let mut rules: Vec<ReplicationRule> = Vec::new();
        for rule in &self.sources.provision.registry.replication {
            let mut destinations: Vec<(String, String)> = Vec::new();
            for to in &rule.to {
                let account = to.account.as_ref().unwrap_or(&home.account);
                if to.region == home.region && account == &home.account {
                    self.errors.push(DesiredError::ReplicatesToItself { region: to.region.clone() });
                }
                destinations.push((to.region.to_string(), account.to_string()));
            }
            rules.push(replication_rule(destinations, rule.prefixes.clone()));
        }
        // Repositories that go to the same Regions share a rule: a registry has 10.
        let mut groups: BTreeMap<Vec<(String, String)>, Vec<String>> = BTreeMap::new();
        for group in self.sources.provision.repositories.iter().filter(|group| !group.replicate_to.is_empty())
        {
            if group.replicate_to.contains(&home.region) {
                self.errors.push(DesiredError::ReplicatesToItself { region: home.region.clone() });
            }
            let to = group.replicate_to.iter().map(|region| (region.to_string(), home.account.to_string()));
            let names = groups.entry(to.collect()).or_default();
            names.extend(group.names.iter().map(|name| name.value.clone()));
        }
        rules.extend(groups.into_iter().map(|(to, names)| replication_rule(to, names)));
        rules.sort();
        rules.dedup();
        self.desired.replication = rules;
    }

    fn iam(&mut self) {
        let iam = &self.sources.provision.iam;
        for (kind, use_) in &iam.policies {
            let attach_to = use_.attach_to.iter().map(|role| role.to_string()).collect();
            self.policy(*kind, attach_to);
        }
        if let Some(github) = &iam.github_actions {
            let name = github
                .role
                .as_ref()
                .map_or_else(|| format!("{}ci-push", iam.name_prefix), |role| role.to_string());
            if !self.desired.policies.iter().any(|policy| policy.name == policy_name(iam, PolicyKind::CiPush))
            {
                self.policy(PolicyKind::CiPush, Vec::new());
            }
            let pushes = policy_name(iam, PolicyKind::CiPush);
            for policy in self.desired.policies.iter_mut().filter(|policy| policy.name == pushes) {
                policy.attach_to.push(name.clone());
                policy.attach_to.sort();
                policy.attach_to.dedup();
            }
            self.desired.roles.push(Role {
                name,
                description: "workflows of GitHub push images by it; made by pullthru".to_owned(),
                trust: document::trust_github(github, &self.desired.registry),
                inline: BTreeMap::new(),
                tags: self.tags(&Tags::new()),
            });
        }
        self.desired.roles.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.policies.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn policy(&mut self, kind: PolicyKind, mut attach_to: Vec<String>) {
        attach_to.sort();
        attach_to.dedup();
        self.desired.policies.push(Policy {
            name: policy_name(&self.sources.provision.iam, kind),
            description: format!("{}; made by pullthru", purpose(kind)),
            document: self.desired.scope.document(kind),
            attach_to,
            tags: self.tags(&Tags::new()),
        });
    }
}

fn policy_name(iam: &crate::config::Iam, kind: PolicyKind) -> String {
    format!("{}{}", iam.name_prefix, kind.id())
}

/// What a policy is for, in a few words.
pub fn purpose(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::NodePull => "nodes pull through the cache, the first time too",
        PolicyKind::PullOnly => "pulls of what is in the registry",
        PolicyKind::CiPush => "pushes to the team's repositories",
        PolicyKind::Scan => "controllers list tags and pull artifacts",
        PolicyKind::Provision => "sets up the cache",
        PolicyKind::Doctor => "asks why a pull fails",
    }
}

fn replication_rule(mut destinations: Vec<(String, String)>, mut prefixes: Vec<String>) -> ReplicationRule {
    destinations.sort();
    destinations.dedup();
    prefixes.sort();
    prefixes.dedup();
    ReplicationRule { destinations, prefixes }
}

fn made_key(cipher: &Cipher) -> Option<&str> {
    match cipher {
        Cipher::Kms(Some(Ref::Made(alias))) => Some(alias),
        _ => None,
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

fn applied_id(use_: AppliedFor) -> &'static str {
    match use_ {
        AppliedFor::PullThroughCache => "PULL_THROUGH_CACHE",
        AppliedFor::Replication => "REPLICATION",
        AppliedFor::CreateOnPush => "CREATE_ON_PUSH",
    }
}

fn frequency_id(frequency: ScanFrequency) -> &'static str {
    match frequency {
        ScanFrequency::ScanOnPush => "SCAN_ON_PUSH",
        ScanFrequency::ContinuousScan => "CONTINUOUS_SCAN",
        ScanFrequency::Manual => "MANUAL",
    }
}
