//! May who pulls do so? Simulated by IAM, with what the registry's own policy adds and takes away.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType as Decision};

use super::policy::{Said, says};
use super::{Doctor, Outcome, Step, StepId, seen};
use crate::account::failure::{AwsFailure, FailureKind, of};
use crate::account::{Session, role};
use pullthru_core::config::Arn;

/// Takes no resource; without it a node has no login at all ("no basic auth credentials").
const LOGIN: &str = "ecr:GetAuthorizationToken";
/// What a pull of what is cached needs.
pub(super) const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
/// What a pull that ECR has to import needs besides; a registry's policy may grant it too (user guide, "IAM permissions
/// required to sync an upstream registry").
const IMPORT: [&str; 2] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

/// Who pulls.
enum Who {
    /// A role or user that IAM can simulate.
    Known(Arn),
    /// The root of the account: no policy of its own limits it.
    Root,
    /// There is no such role.
    Missing(String),
    /// It cannot be simulated, and why.
    Unknown(String),
}

impl Doctor<'_> {
    /// What the caller and the node role may do, and what the registry's policy says to them.
    pub(super) async fn permissions(&self) -> Vec<Step> {
        let resources = self.resources();
        let mut steps = Vec::new();
        let mut principals = Vec::new();
        let caller = identity(self.session, &self.session.caller).await;
        if let Who::Known(arn) = &caller {
            principals.push(arn.clone());
        }
        steps.push(self.may(StepId::CallerPermissions, caller, &resources).await);
        if let Some(named) = &self.question.node_role {
            let node = node(self.session, named).await;
            if let Who::Known(arn) = &node {
                principals.push(arn.clone());
            }
            steps.push(self.may(StepId::NodePermissions, node, &resources).await.about(named));
        }
        // Who runs this need not be who pulls; asked why one image fails, and of nobody else, it is.
        if self.question.node_role.is_some() || self.question.image.is_none() {
            for step in
                steps.iter_mut().filter(|step| step.id == StepId::CallerPermissions && step.is_failed())
            {
                step.outcome = Outcome::Warning;
                step.help.clear();
            }
        }
        steps.push(self.registry_policy(&principals, &resources));
        steps
    }

    /// ARNs of repositories that a pull is about: the image's own, or one of each prefix.
    fn resources(&self) -> Vec<String> {
        let registry = &self.session.registry;
        let of_line = |line: &super::Line| {
            let sample =
                line.sample.as_ref().and_then(|pull| pull.cached.as_ref()).map(|name| name.path.clone());
            sample.or_else(|| line.wanted().map(|(prefix, _, _)| prefix.join("example")))
        };
        let names: BTreeSet<String> = self.question.lines.iter().filter_map(of_line).collect();
        names.iter().map(|name| registry.repository(name).to_string()).collect()
    }

    async fn may(&self, id: StepId, who: Who, resources: &[String]) -> Step {
        let arn = match who {
            Who::Known(arn) => arn,
            Who::Root => return id.passed("the root of the account may do everything"),
            Who::Missing(name) => {
                return no_role(id, &format!("`{name}`"));
            }
            Who::Unknown(why) => return id.not_checked(why),
        };
        if arn.account != self.session.registry.account.as_str() {
            return id
                .not_checked(format!("account {} alone can say what `{arn}` may do", arn.account))
                .help("ask there for the actions of the document `node-pull`; here its account has to be let in, see below");
        }
        let on = [&PULL[..], &IMPORT].concat();
        let any = ["*".to_owned()];
        let (login, rest) = tokio::join!(
            simulate(self.session, &arn, &[LOGIN], &any),
            simulate(self.session, &arn, &on, resources)
        );
        let (login, rest) = match (login, rest) {
            (Ok(login), Ok(rest)) => (login, rest),
            (Err(failure), _) | (_, Err(failure)) if failure.is(&[role::ABSENT]) => {
                return no_role(id, &short(&arn));
            }
            (Err(failure), _) | (_, Err(failure)) => return id.unseen(&failure),
        };
        let mut lacking = login;
        for (action, mut lack) in rest {
            // Who is denied it by a policy of its own gets it from nobody.
            if !lack.denied && IMPORT.contains(&action.as_str()) {
                lack.on.retain(|resource| !self.is_granted(&arn, &action, resource));
            }
            if !lack.on.is_empty() {
                lacking.insert(action, lack);
            }
        }
        // A repository that is there need not be made.
        let there = self.image_repository_is_there();
        let create = lacking.remove("ecr:CreateRepository").filter(|_| !there);
        let spared = if there { " (the repository is there)" } else { "" };
        lacking.extend(create.map(|lack| ("ecr:CreateRepository".to_owned(), lack)));
        if lacking.is_empty() {
            return id.passed(format!("{} may log in, pull and import{spared}", short(&arn)));
        }
        let actions: Vec<String> = lacking.keys().cloned().collect();
        let listed = super::account::list(&actions);
        if lacking.values().all(Lack::is_unsure) {
            let keys: BTreeSet<String> = lacking.into_values().flat_map(|lack| lack.keys).collect();
            let keys = super::account::list(&Vec::from_iter(keys));
            let detail =
                format!("{} has {listed} under a condition on {keys}, which was not evaluated", short(&arn));
            return id.warning(detail).help("read the condition: does it hold for a node's own calls?");
        }
        let on: BTreeSet<String> = lacking.into_values().flat_map(|lack| lack.on).collect();
        let on = super::account::list(&Vec::from_iter(on));
        // What a node meets first is all that it sees.
        let met = [LOGIN, PULL[0], PULL[1], IMPORT[1], IMPORT[0]];
        let first = met.into_iter().find(|action| actions.iter().any(|lacking| lacking == action));
        let seen = symptom(first.unwrap_or_default());
        let step = id.failed(format!("{} lacks {}: {seen}", short(&arn), listed));
        step.help(format!(
            "allow it on {on}: the document `node-pull` of `provision: {{ iam: … }}` has all of it"
        ))
    }

    fn is_granted(&self, principal: &Arn, action: &str, resource: &str) -> bool {
        let statements = self.account.statements.as_ref();
        statements.is_ok_and(|known| says(known, principal, action, Some(resource)) == Said::Allowed)
    }

    /// What the registry's policy says to who pulls.
    fn registry_policy(&self, principals: &[Arn], resources: &[String]) -> Step {
        let id = StepId::RegistryPolicy;
        let statements = match seen(id, &self.account.statements) {
            Ok(statements) => statements,
            Err(step) => return *step,
        };
        let (mut denied, mut unsure, mut shut_out) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for principal in principals {
            let foreign = principal.account != self.session.registry.account.as_str();
            for action in [&PULL[..], &IMPORT].concat() {
                for resource in resources {
                    let who = format!("`{action}` to {}", short(principal));
                    match says(statements, principal, action, Some(resource)) {
                        Said::Denied => drop(denied.insert(who)),
                        Said::MaybeDenied => drop(unsure.insert(who)),
                        Said::Silent if foreign && IMPORT.contains(&action) => drop(shut_out.insert(who)),
                        Said::Silent | Said::Allowed => {}
                    }
                }
            }
        }
        let joined = |names: BTreeSet<String>| Vec::from_iter(names).join(", ");
        if !denied.is_empty() {
            return id
                .failed(format!("it denies {}: a denial wins over every grant", joined(denied)))
                .help("take the repository out of the denying statement: `aws ecr get-registry-policy`, then `put-registry-policy`");
        }
        if !shut_out.is_empty() {
            return id
                .failed(format!("it does not grant {}, and another account needs that", joined(shut_out)))
                .help("`provision: { registry: { policy: { accounts: […] } } }`, then `pullthru provision apply`");
        }
        if !unsure.is_empty() {
            return id
                .warning(format!("it denies {} under a condition, which was not evaluated", joined(unsure)))
                .help("read the condition: `aws ecr get-registry-policy`");
        }
        id.passed(match statements.len() {
            0 => "there is none".to_owned(),
            _ => "it denies nothing to who pulls".to_owned(),
        })
    }

    fn image_repository_is_there(&self) -> bool {
        let name =
            self.question.image.as_ref().and_then(|image| image.cached.as_ref()).map(|name| &name.path);
        let known = self.account.repositories.as_ref();
        name.is_some_and(|name| known.is_ok_and(|known| known.contains_key(name)))
    }
}

fn no_role(id: StepId, name: &str) -> Step {
    id.failed(format!("there is no role {name}")).help("fix `--node-role`: a name, or an ARN")
}

/// What a node sees without an action (user guide, "Troubleshooting pull through cache issues").
fn symptom(action: &str) -> &'static str {
    match action {
        LOGIN => "nodes have no login (`no basic auth credentials`)",
        "ecr:BatchImportUpstreamImage" => "what is not cached is answered 404 (`requested image not found`)",
        "ecr:CreateRepository" => "a first pull is answered 404 (`repository does not exist`)",
        _ => "pulls are answered 403",
    }
}

/// `role/node` for messages.
fn short(arn: &Arn) -> String {
    format!("`{}`", arn.resource)
}

/// An action that is not allowed.
#[derive(Debug, Default)]
pub(super) struct Lack {
    /// On which resources.
    pub(super) on: BTreeSet<String>,
    /// Keys of conditions that would have to be known.
    pub(super) keys: BTreeSet<String>,
    /// A policy denies it; else none allows it.
    pub(super) denied: bool,
}

impl Lack {
    /// Whether it is allowed depends on what is not known here.
    pub(super) fn is_unsure(&self) -> bool {
        !self.denied && !self.keys.is_empty()
    }
}

/// Each action that is not allowed.
pub(super) async fn simulate(
    session: &Session,
    principal: &Arn,
    actions: &[&str],
    resources: &[String],
) -> Result<BTreeMap<String, Lack>, AwsFailure> {
    let mut lacking: BTreeMap<String, Lack> = BTreeMap::new();
    // IAM would take none for all.
    if resources.is_empty() {
        return Ok(lacking);
    }
    let registry = &session.registry;
    let known = [
        ("aws:PrincipalAccount", registry.account.as_str()),
        ("aws:RequestedRegion", registry.region.as_str()),
        ("aws:SecureTransport", "true"),
    ];
    let context = known.map(|(key, value)| {
        let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
        entry.context_key_type(ContextKeyTypeEnum::String).build()
    });
    let mut marker = None;
    loop {
        let call = session
            .iam
            .simulate_principal_policy()
            .policy_source_arn(principal.to_string())
            .set_action_names(Some(actions.iter().map(ToString::to_string).collect()))
            .set_resource_arns(Some(resources.to_vec()))
            .set_context_entries(Some(context.to_vec()))
            .set_marker(marker);
        let page = call.send().await.map_err(of("iam:SimulatePrincipalPolicy"))?;
        for result in page.evaluation_results() {
            if result.eval_decision != Decision::Allowed {
                let lack = lacking.entry(result.eval_action_name.clone()).or_default();
                lack.on.insert(result.eval_resource_name().unwrap_or("*").to_owned());
                lack.keys.extend(result.missing_context_values().iter().cloned());
                lack.denied |= result.eval_decision == Decision::ExplicitDeny;
            }
        }
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(lacking);
        }
    }
}

/// Whose policies a caller has: a session is one of its role, whose ARN has a path that the session's lacks.
async fn identity(session: &Session, caller: &Arn) -> Who {
    let assumed = caller.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    match (caller.service.as_str(), assumed) {
        ("sts", Some(name)) => role_named(session, name).await,
        ("iam", _) if caller.resource == "root" => Who::Root,
        ("iam", _) => Who::Known(caller.clone()),
        _ => Who::Unknown(format!("`{}` is neither a user nor a role", caller.resource)),
    }
}

/// The role of `--node-role`.
async fn node(session: &Session, named: &str) -> Who {
    match named.parse::<Arn>() {
        Ok(arn) if arn.account != session.registry.account.as_str() => Who::Known(arn),
        Ok(arn) => match arn.role_name() {
            Some(name) => role_named(session, name).await,
            None => Who::Unknown(format!("`{named}` is no role")),
        },
        Err(_) => role_named(session, named).await,
    }
}

async fn role_named(session: &Session, name: &str) -> Who {
    let sent = session.iam.get_role().role_name(name).send().await.map_err(of("iam:GetRole"));
    let plain = || session.registry.iam(format!("role/{name}"));
    match sent {
        Ok(found) => Who::Known(found.role.and_then(|role| role.arn.parse().ok()).unwrap_or_else(plain)),
        Err(failure) if failure.is(&[role::ABSENT]) => Who::Missing(name.to_owned()),
        // Most roles have no path.
        Err(failure) if failure.kind == FailureKind::Denied => Who::Known(plain()),
        Err(failure) => Who::Unknown(failure.to_string()),
    }
}
