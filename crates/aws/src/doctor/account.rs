//! What stands in the account, whatever is pulled: who asks, the Region, quotas, scanning, replication.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Doctor, Step, StepId, seen};
use crate::account::{
    AwsFailure, Session, registry_policy, replication, repository, rule, scanning, template,
};
use crate::resource::{ReplicationRule, Repository, Rule, Scanning, Template};
use pullthru_core::route::pull_through_available;

type Seen<T> = Result<T, AwsFailure>;

/// Rules of a registry in a Region; it cannot be raised (Amazon ECR service quotas).
const RULES: usize = 50;

/// Repositories of a Region; it can be raised.
const REPOSITORIES: usize = 100_000;

/// What was read of the account, each for itself.
pub(super) struct Account {
    pub(super) rules: Seen<BTreeMap<String, Rule>>,
    pub(super) templates: Seen<BTreeMap<String, Template>>,
    pub(super) statements: Seen<Vec<Value>>,
    pub(super) repositories: Seen<BTreeMap<String, Repository>>,
    scanning: Seen<Scanning>,
    replication: Seen<Vec<ReplicationRule>>,
}

impl Account {
    pub(super) async fn read(session: &Session) -> Account {
        let (rules, templates, statements, repositories, scanning, replication) = tokio::join!(
            rule::read(session),
            template::read(session),
            registry_policy::read(session),
            repository::list(session),
            scanning::read(session),
            replication::read(session),
        );
        Account { rules, templates, statements, repositories, scanning, replication }
    }
}

/// Who asks, and where.
pub(super) fn caller(session: &Session) -> Vec<Step> {
    let registry = &session.registry;
    let (account, caller) = (&registry.account, &session.caller);
    let home = if session.is_at_home() {
        StepId::Account.passed(account.to_string())
    } else {
        StepId::Account
            .failed(format!(
                "the credentials are of account {}, and the registry is of account {account}: a login made with them is \
                 one for {}'s registry",
                caller.account, caller.account
            ))
            .help(format!("take credentials of account {account}: `--profile`, `AWS_PROFILE`, `aws sso login`"))
            .help(format!(
                "are nodes of account {} to pull from here? Ask with credentials of {account}, and name their role by its \
                 ARN: `--node-role arn:{}:iam::{}:role/…`",
                caller.account,
                registry.partition(),
                caller.account
            ))
    };
    let region = match pull_through_available(&registry.region) {
        Ok(()) => StepId::Region.passed(registry.region.to_string()),
        Err(reason) => StepId::Region
            .failed(format!("`{}`: {reason}", registry.region))
            .help("mirror the images into repositories of your own there, or cache in another Region"),
    };
    vec![StepId::Credentials.passed(caller.to_string()), home, region]
}

impl Doctor<'_> {
    /// What is so for every pull of the registry.
    pub(super) fn registry_wide(&self) -> Vec<Step> {
        vec![self.overlap(), self.scanning(), self.replication(), self.rule_quota(), self.repository_quota()]
    }

    /// Which of two rules answers where both could is not documented.
    fn overlap(&self) -> Step {
        let id = StepId::RuleOverlap;
        let rules = match seen(id, &self.account.rules) {
            Ok(rules) => rules,
            Err(step) => return *step,
        };
        let prefixes = || rules.keys().map(String::as_str);
        let mut pairs = Vec::new();
        for outer in prefixes() {
            let below = |inner: &str| match outer {
                "ROOT" => inner != "ROOT",
                outer => inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/')),
            };
            pairs.extend(prefixes().filter(|inner| below(inner)).map(|inner| (outer, inner)));
        }
        let concerned = |(outer, inner): &(&str, &str)| {
            self.prefixes().iter().any(|prefix| prefix == outer || prefix == inner)
        };
        let texts: Vec<String> = pairs
            .into_iter()
            .filter(concerned)
            .map(|(outer, inner)| format!("`{inner}` lies below `{outer}`"))
            .collect();
        if texts.is_empty() {
            return id.passed("no other rule covers the same names");
        }
        id.warning(format!("{}: AWS does not say which of the two rules answers", texts.join(", ")))
            .help("give each rule a prefix that is no part of another's")
    }

    /// Prefixes that this is about.
    pub(super) fn prefixes(&self) -> Vec<String> {
        let lines = self.question.lines.iter();
        lines.filter_map(|line| line.wanted()).map(|(prefix, _, _)| prefix.to_string()).collect()
    }

    fn scanning(&self) -> Step {
        let id = StepId::Scanning;
        let scanning = match seen(id, &self.account.scanning) {
            Ok(scanning) => scanning,
            Err(step) => return *step,
        };
        if scanning.kind != "ENHANCED" {
            return id.passed(format!("{}: free, and no pull is counted for it", scanning.kind));
        }
        let covered = |prefix: &String| {
            let mut filters = scanning.rules.values().flatten();
            filters.any(|filter| covers(filter, &format!("{prefix}/x")))
        };
        let scanned: Vec<String> = self.prefixes().into_iter().filter(covered).collect();
        if scanned.is_empty() {
            return id.passed("ENHANCED, and no filter covers what is cached");
        }
        id.warning(format!(
            "Amazon Inspector scans what is cached below {}: every platform of an image is charged, and its scans renew the \
             time of the last pull",
            list(&scanned)
        ))
        .help("before a clean-up goes by the last pull, exclude the scanner: `aws ecr register-pull-time-update-exclusion`")
    }

    fn replication(&self) -> Step {
        let id = StepId::Replication;
        let rules = match seen(id, &self.account.replication) {
            Ok(rules) => rules,
            Err(step) => return *step,
        };
        let copies = |rule: &&ReplicationRule| {
            let mut prefixes = self.prefixes().into_iter();
            rule.prefixes.is_empty()
                || prefixes.any(|prefix| {
                    rule.prefixes.iter().any(|filter| format!("{prefix}/").starts_with(filter.as_str()))
                })
        };
        let copied: Vec<String> = rules.iter().filter(copies).map(ToString::to_string).collect();
        if copied.is_empty() {
            return id.passed("what is cached is not copied");
        }
        id.warning(format!(
            "what is cached is copied: {}. Each copy is stored and transferred, and no rule refreshes it there",
            copied.join("; ")
        ))
        .help("leave the prefixes of the cache out of the filters, and make the same rules in the other Region")
    }

    fn rule_quota(&self) -> Step {
        let id = StepId::RuleQuota;
        match seen(id, &self.account.rules).map(BTreeMap::len) {
            Ok(used) => used_of(id, used, RULES, "rules")
                .help_if_warning("one rule caches a whole upstream: remove those for parts of it. AWS does not raise this quota"),
            Err(step) => *step,
        }
    }

    fn repository_quota(&self) -> Step {
        let id = StepId::RepositoryQuota;
        match seen(id, &self.account.repositories).map(BTreeMap::len) {
            Ok(used) => used_of(id, used, REPOSITORIES, "repositories").help_if_warning(
                "ask AWS for more (Service Quotas), or remove repositories that nothing pulls from",
            ),
            Err(step) => *step,
        }
    }
}

fn used_of(id: StepId, used: usize, most: usize, what: &str) -> Step {
    let text = format!("{} of {} {what}", thousands(used), thousands(most));
    // A tenth is left.
    if used >= most {
        id.warning(format!("{text}: no more can be made"))
    } else if used * 10 >= most * 9 {
        id.warning(text)
    } else {
        id.passed(text)
    }
}

impl Step {
    fn help_if_warning(self, help: &str) -> Step {
        if self.outcome == super::Outcome::Warning { self.help(help) } else { self }
    }
}

/// `100,000`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    digits.char_indices().fold(String::new(), |mut text, (at, digit)| {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
        text
    })
}

/// Does a scanning filter cover a repository? Without `*` it covers every name that holds it (API reference,
/// `ScanningRepositoryFilter`).
fn covers(filter: &str, name: &str) -> bool {
    if filter.contains('*') { super::policy::matches(filter, name) } else { name.contains(filter) }
}

/// `` `a`, `b` ``.
pub(super) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
