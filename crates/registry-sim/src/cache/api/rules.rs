//! Operations on pull through cache rules.

use serde_json::{Value, json};

use super::{ApiError, page, required};
use crate::cache::pull::Miss;
use crate::cache::{Rule, State};
use crate::lock::lock;

impl State {
    /// Prefixes given or all; one without a rule fails the call.
    pub(super) fn describe_rules(&self, input: &Value) -> Result<Value, ApiError> {
        let rules = lock(&self.rules);
        let mut found = Vec::new();
        match input.get("ecrRepositoryPrefixes").and_then(Value::as_array) {
            Some(prefixes) => {
                for prefix in prefixes.iter().filter_map(Value::as_str) {
                    let rule = rules.iter().find(|rule| rule.prefix() == prefix);
                    found.push(self.line(rule.ok_or_else(|| self.no_rule(prefix))?));
                }
            }
            None => found.extend(rules.iter().map(|rule| self.line(rule))),
        }
        page(found, input, "pullThroughCacheRules")
    }

    /// 200 even when broken: `isValid` says so, `failure` is free text (Amazon ECR API,
    /// ValidatePullThroughCacheRule). Says nothing about any image.
    pub(super) async fn validate_rule(&self, input: &Value) -> Result<Value, ApiError> {
        let prefix = required(input, "ecrRepositoryPrefix")?;
        let rule = lock(&self.rules).iter().find(|rule| rule.prefix() == prefix).cloned();
        let rule = rule.ok_or_else(|| self.no_rule(prefix))?;
        let failure = match State::log_in(&rule).await {
            Ok(()) => None,
            Err(Miss::Denied) => Some("The upstream registry rejected the credentials in the secret."),
            Err(_) => Some("The upstream registry could not be reached."),
        };
        let mut line = self.line(&rule);
        if let Some(members) = line.as_object_mut() {
            members.insert("isValid".to_owned(), failure.is_none().into());
            if let Some(failure) = failure {
                members.insert("failure".to_owned(), failure.into());
            }
            members.remove("createdAt");
            members.remove("updatedAt");
        }
        Ok(line)
    }

    fn line(&self, rule: &Rule) -> Value {
        let (account, region) = (&self.settings.account, &self.settings.region);
        let mut line = json!({
            "createdAt": 1_700_000_000,
            "ecrRepositoryPrefix": rule.prefix(),
            "registryId": account,
            "updatedAt": 1_700_000_000,
            "upstreamRegistryUrl": rule.upstream_name(),
            "upstreamRepositoryPrefix": rule.upstream_prefix_name(),
        });
        if rule.login().is_some()
            && let Some(members) = line.as_object_mut()
        {
            let name = rule.upstream_name();
            let arn = format!(
                "arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/{name}-a1b2c3"
            );
            members.insert("credentialArn".to_owned(), arn.into());
        }
        line
    }

    fn no_rule(&self, prefix: &str) -> ApiError {
        let message = format!(
            "No Pull Through Cache Rule exists with the ecrRepositoryPrefix '{prefix}' in the registry with id '{}'",
            self.settings.account
        );
        ApiError::new("PullThroughCacheRuleNotFoundException", message)
    }
}
