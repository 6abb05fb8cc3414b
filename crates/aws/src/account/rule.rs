//! Pull through cache rules. The prefix is a rule's identity; of the rest ECR changes the secret and the role only (API
//! reference, `UpdatePullThroughCacheRule`).

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{PullThroughCacheRule, UpstreamRegistry};

use super::change::{Action, Change, Fields};
use super::failure::{self, AwsFailure, Seen};
use super::session::Session;
use super::settle::settled;
use crate::resource::{Id, Kind, Ref, Rule};
use pullthru_core::config::Arn;

pub(crate) async fn read(session: &Session) -> Seen<BTreeMap<String, Rule>> {
    let pages = session.ecr.describe_pull_through_cache_rules().into_paginator().items().send();
    let rules = pages.collect::<Result<Vec<_>, _>>().await;
    let rules = rules.map_err(failure::of("ecr:DescribePullThroughCacheRules"))?;
    Ok(rules.into_iter().filter_map(from_api).map(|rule| (rule.prefix.clone(), rule)).collect())
}

fn from_api(rule: PullThroughCacheRule) -> Option<Rule> {
    let upstream_url = rule.upstream_registry_url?;
    let named = rule.upstream_registry.map(|registry| registry.as_str().to_owned());
    let by_host = || pullthru_core::route::upstream_for(&upstream_url).map(|upstream| upstream.id.to_owned());
    let given = |arn: Option<String>| arn.and_then(|arn| arn.parse::<Arn>().ok());
    Some(Rule {
        prefix: rule.ecr_repository_prefix?.trim_end_matches('/').to_owned(),
        upstream_registry: named.or_else(by_host).unwrap_or_default(),
        upstream_prefix: rule.upstream_repository_prefix.unwrap_or_else(|| "ROOT".to_owned()),
        credential: given(rule.credential_arn).map(Ref::Given),
        custom_role: given(rule.custom_role_arn),
        upstream_url,
    })
}

/// What a rule is, after its prefix.
pub(super) fn describe(rule: &Rule) -> String {
    let below = match rule.upstream_prefix.as_str() {
        "ROOT" => String::new(),
        prefix => format!("/{prefix}"),
    };
    let with = match (&rule.credential, &rule.custom_role) {
        (Some(secret), _) => format!(" (secret {})", secret.name()),
        (None, Some(role)) => format!(" (role {})", role.role_name().unwrap_or(&role.resource)),
        (None, None) => String::new(),
    };
    format!("→ {}{below}{with}", rule.upstream_url)
}

pub(super) fn compare(desired: &Rule, current: Option<&Rule>) -> Change {
    let id = Id::new(Kind::Rule, &desired.prefix);
    let what = describe(desired);
    let Some(current) = current else { return Change::new(Action::Create, id, what) };
    let mut fixed = Fields::default();
    fixed.value("upstream", &current.upstream_url, &desired.upstream_url);
    fixed.value("upstream prefix", &current.upstream_prefix, &desired.upstream_prefix);
    let replace = !fixed.is_empty();
    let mut fields = fixed;
    let secret = |rule: &Rule| rule.credential.as_ref().map(Ref::name);
    fields.value("secret", secret(current), secret(desired));
    let role = |rule: &Rule| rule.custom_role.as_ref().map(Arn::to_string);
    fields.value("role", role(current), role(desired));
    // A rule that has a login and is to have none cannot be changed to that: the API has no way to take it away.
    let loses = current.credential.is_some() && desired.credential.is_none()
        || current.custom_role.is_some() && desired.custom_role.is_none();
    if replace || loses {
        let change = fields.into_change(id, what, Action::Replace);
        return change.note(format!(
            "ECR cannot change this of a rule: it is deleted and made again. Repositories below `{}/` are kept, with what is \
             cached; images that are not cached cannot be pulled in between, and tags that exist are looked up at the new \
             upstream",
            desired.prefix
        ));
    }
    fields.into_change(id, what, Action::Update)
}

/// The codes with which ECR answers while a secret or role that was just made is not seen yet.
const UNSETTLED: [&str; 2] = ["SecretNotFoundException", "UnableToAccessSecretException"];

/// `fresh`: its secret was made or changed a moment ago.
pub(super) async fn write(
    session: &Session,
    change: &Change,
    rule: &Rule,
    credential: Option<Arn>,
    fresh: bool,
) -> Result<(), AwsFailure> {
    // What is wrong with a secret that was there before is wrong in a minute too.
    let codes: &[&str] = if fresh { &UNSETTLED } else { &[] };
    if change.action == Action::Update {
        let call = || async {
            let update = session.ecr.update_pull_through_cache_rule().ecr_repository_prefix(&rule.prefix);
            let update = update.set_credential_arn(credential.as_ref().map(Arn::to_string));
            let sent = update.set_custom_role_arn(rule.custom_role.as_ref().map(Arn::to_string)).send().await;
            sent.map(drop).map_err(failure::of("ecr:UpdatePullThroughCacheRule"))
        };
        return settled(session.patience, codes, call).await;
    }
    if change.action == Action::Replace {
        delete(session, &rule.prefix).await?;
    }
    let call = || async {
        let create = session.ecr.create_pull_through_cache_rule().ecr_repository_prefix(&rule.prefix);
        let create = create
            .upstream_registry_url(&rule.upstream_url)
            .upstream_registry(UpstreamRegistry::from(rule.upstream_registry.as_str()))
            .set_upstream_repository_prefix(
                Some(rule.upstream_prefix.clone()).filter(|prefix| prefix != "ROOT"),
            );
        let create = create.set_credential_arn(credential.as_ref().map(Arn::to_string));
        let sent = create.set_custom_role_arn(rule.custom_role.as_ref().map(Arn::to_string)).send().await;
        sent.map(drop).map_err(failure::of("ecr:CreatePullThroughCacheRule"))
    };
    match settled(session.patience, codes, call).await {
        // A try before this one was carried out, and its answer lost.
        Err(failure) if failure.is(&["PullThroughCacheRuleAlreadyExistsException"]) => {
            let there = read(session).await?;
            let same = there.get(&rule.prefix).map(|known| compare(rule, Some(known)).action);
            if same == Some(Action::Keep) { Ok(()) } else { Err(failure) }
        }
        result => result,
    }
}

pub(super) async fn delete(session: &Session, prefix: &str) -> Result<(), AwsFailure> {
    let sent = session.ecr.delete_pull_through_cache_rule().ecr_repository_prefix(prefix).send().await;
    match sent.map_err(failure::of("ecr:DeletePullThroughCacheRule")) {
        Err(failure) if failure.is(&["PullThroughCacheRuleNotFoundException"]) => Ok(()),
        result => result.map(drop),
    }
}

/// Asks ECR to try the rule. `None` when it is valid, else what is wrong; the answer is 200 either way.
pub(crate) async fn validate(session: &Session, prefix: &str) -> Result<Option<String>, AwsFailure> {
    let call = || async {
        let sent = session.ecr.validate_pull_through_cache_rule().ecr_repository_prefix(prefix).send().await;
        sent.map_err(failure::of("ecr:ValidatePullThroughCacheRule"))
    };
    let answer = settled(session.patience, &["PullThroughCacheRuleNotFoundException"], call).await?;
    if answer.is_valid {
        return Ok(None);
    }
    Ok(Some(answer.failure.unwrap_or_else(|| "ECR does not say why".to_owned())))
}
