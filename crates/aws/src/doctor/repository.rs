//! The image's repository: is it there, who may pull from it, can its tags move, and what expires?

use serde_json::Value;

use super::policy::{Said, matches, says, statements};
use super::template::key_step;
use super::{Doctor, Step, StepId, seen};
use crate::account::repository;
use crate::document::same;
use crate::resource::{Cipher, Mutability, MutabilitySetting, Ref};
use pullthru_core::config::Arn;
use pullthru_core::images::Image;

impl Doctor<'_> {
    /// The steps of an image's repository.
    pub(super) async fn repository(&self, image: Option<&Image>) -> Vec<Step> {
        let id = StepId::Repository;
        let Some((image, cached)) = image.and_then(|image| Some((image, image.cached.as_ref()?))) else {
            return Vec::new();
        };
        let all = match seen(id, &self.account.repositories) {
            Ok(all) => all,
            Err(step) => return vec![*step],
        };
        let name = cached.path.as_str();
        let tag = image.tag_or_latest();
        let Some(found) = all.get(name) else {
            let mut steps = vec![id.passed("not there yet")];
            if let Some(template) = self.template_for(name) {
                steps.push(mutability(&template.mutability, tag, "the template makes the repository with"));
                if let Cipher::Kms(Some(Ref::Given(key))) = &template.cipher {
                    steps.push(key_step(key));
                }
            }
            return steps;
        };
        let mut steps = vec![id.passed(name)];
        if let Cipher::Kms(Some(Ref::Given(key))) = &found.cipher {
            steps.push(key_step(key));
        }
        steps.push(mutability(&found.mutability, tag, "the repository has"));
        let (policy, lifecycle) =
            tokio::join!(repository::policy(self.session, name), repository::lifecycle(self.session, name));
        steps.push(match &policy {
            Ok(policy) => self.repository_policy(policy.as_ref()),
            Err(failure) => StepId::RepositoryPolicy.unseen(failure),
        });
        steps.push(match &lifecycle {
            Ok(policy) => self.lifecycle(name, policy.as_ref(), image),
            Err(failure) => StepId::Lifecycle.unseen(failure),
        });
        steps
    }

    fn repository_policy(&self, policy: Option<&Value>) -> Step {
        let id = StepId::RepositoryPolicy;
        let statements = policy.map(statements).unwrap_or_default();
        let node = self.question.node_role.as_deref().map(|named| match named.parse::<Arn>() {
            Ok(arn) => arn,
            Err(_) => self.session.registry.iam(format!("role/{named}")),
        });
        let who = node.unwrap_or_else(|| self.session.caller.clone());
        let foreign = who.account != self.session.registry.account.as_str();
        let said = super::permissions::PULL.map(|action| (action, says(&statements, &who, action, None)));
        let of = |wanted: Said| {
            let actions =
                said.iter().filter(|(_, said)| *said == wanted).map(|(action, _)| (*action).to_owned());
            actions.collect::<Vec<String>>()
        };
        let (denied, unsure, silent) = (of(Said::Denied), of(Said::MaybeDenied), of(Said::Silent));
        let list = super::account::list;
        if !denied.is_empty() {
            id.failed(format!("it denies {} to `{}`", list(&denied), who.resource))
                .help("take the denying statement out: `aws ecr get-repository-policy`, then `set-repository-policy`")
        } else if foreign && !silent.is_empty() {
            id.failed(format!("it does not let account {} in for {}", who.account, list(&silent)))
                .help("give the template `access: { pull-accounts: […] }`, and `pullthru provision apply --backfill`")
        } else if !unsure.is_empty() {
            id.warning(format!("it denies {} under a condition, which was not evaluated", list(&unsure)))
                .help("read the condition: `aws ecr get-repository-policy`")
        } else if statements.is_empty() {
            id.passed("there is none")
        } else {
            id.passed("it denies nothing to who pulls")
        }
    }

    /// Does the policy expire what is in use, and is it the template's?
    fn lifecycle(&self, name: &str, policy: Option<&Value>, image: &Image) -> Step {
        let id = StepId::Lifecycle;
        let template = self.template_for(name);
        let wanted = template.and_then(|template| template.lifecycle.as_ref());
        if let (Some(template), Some(wanted)) = (template, wanted)
            && policy.is_none_or(|policy| !same(policy, wanted))
        {
            let has = if policy.is_some() { "has another one" } else { "has none" };
            return id
                .warning(format!(
                    "the template `{}` has a lifecycle policy, and the repository {has}: a template is applied when ECR makes \
                     a repository, and never after",
                    template.prefix
                ))
                .help("`pullthru provision apply --backfill` puts it on the repositories that are there");
        }
        let Some(policy) = policy else { return id.passed("there is none: nothing expires") };
        let losses = losses(policy, image.tag_or_latest(), self.question.in_use);
        if losses.is_empty() {
            return id.passed("it expires nothing that is in use here");
        }
        // What is archived is not imported again: ECR has it, and answers a pull with 404.
        let (after, help) = match (losses.iter().all(|loss| loss.archives), image.digest.is_some()) {
            (true, _) => (
                "; a pull fails with 404 until it is restored",
                "archive no image that is deployed: change the rule, and put it with `aws ecr put-lifecycle-policy`",
            ),
            (false, true) => ("; a pinned digest cannot be pulled again after that", KEEP_MORE),
            (false, false) => ("; the next pull imports it again", KEEP_MORE),
        };
        let texts: Vec<String> = losses.into_iter().map(|loss| loss.text).collect();
        id.warning(format!("{}{after}", texts.join("; "))).help(help)
    }
}

const KEEP_MORE: &str = "keep more than is deployed at a time: `keep:` of the template";

/// What a rule would do to an image in use.
#[derive(Debug, PartialEq, Eq)]
struct Loss {
    /// It is moved to the archive, and not deleted.
    archives: bool,
    text: String,
}

/// What rules would do to an image of this tag, of which `in_use` tags are in use (user guide, "Lifecycle policy
/// parameters").
fn losses(policy: &Value, tag: Option<&str>, in_use: usize) -> Vec<Loss> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |value: &Value, name: &str| -> Vec<String> {
        let list = value.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut found = Vec::new();
    for rule in policy.get("rules").and_then(Value::as_array).into_iter().flatten() {
        let (selection, action) =
            (rule.get("selection").unwrap_or(&Value::Null), rule.get("action").unwrap_or(&Value::Null));
        let archives = match text(action, "type").as_str() {
            "expire" if text(selection, "storageClass") == "archive" => continue,
            "expire" => false,
            "transition" => true,
            _ => continue,
        };
        let (prefixes, patterns) = (texts(selection, "tagPrefixList"), texts(selection, "tagPatternList"));
        let selected = match (text(selection, "tagStatus").as_str(), tag) {
            ("any", _) => true,
            ("tagged", Some(tag)) => {
                (!prefixes.is_empty() || !patterns.is_empty())
                    && prefixes.iter().all(|prefix| tag.starts_with(prefix.as_str()))
                    && patterns.iter().all(|pattern| matches(pattern, tag))
            }
            // Images that are pinned have the tag that they were warmed by.
            _ => false,
        };
        if !selected {
            continue;
        }
        let number = selection.get("countNumber").and_then(Value::as_u64).unwrap_or_default();
        let few = usize::try_from(number).is_ok_and(|number| number < in_use);
        let text = match (text(selection, "countType").as_str(), archives) {
            ("sinceImagePushed", false) => {
                format!("it expires {number} days after its import, in use or not")
            }
            ("sinceImagePushed", true) => {
                format!("it is archived {number} days after its import, in use or not")
            }
            // A node that has the image does not pull it, and the next node cannot.
            ("sinceImagePulled", true) => {
                format!("it is archived {number} days after its last pull, in use or not")
            }
            ("imageCountMoreThan", false) if few => {
                format!("the newest {number} are kept, and {in_use} tags are in use here")
            }
            ("imageCountMoreThan", true) if few => {
                format!("all but the newest {number} are archived, and {in_use} tags are in use here")
            }
            _ => continue,
        };
        found.push(Loss { archives, text });
    }
    found
}

/// Is a tag one that cannot move?
pub(super) fn is_fixed(mutability: &Mutability, tag: Option<&str>) -> bool {
    let excepted = tag.is_some_and(|tag| mutability.except.iter().any(|pattern| matches(pattern, tag)));
    match mutability.setting {
        MutabilitySetting::Mutable => false,
        MutabilitySetting::Immutable => true,
        MutabilitySetting::ImmutableWithExclusion => !excepted,
        MutabilitySetting::MutableWithExclusion => excepted,
    }
}

fn mutability(mutability: &Mutability, tag: Option<&str>, who: &str) -> Step {
    let id = StepId::TagMutability;
    if !is_fixed(mutability, tag) {
        return id.passed(mutability.to_string());
    }
    id.warning(format!("{who} {mutability} tags: ECR never refreshes this one, whatever the upstream does"))
        .help("`tag-mutability: { immutable-except: […] }` for tags that move, or pin what is meant; then `pullthru provision apply --backfill`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_policy_expires_or_archives_of_what_is_in_use() {
        let rule = |selection: Value, action: &str| json!({ "rules": [{ "selection": selection, "action": { "type": action } }] });
        let of = |selection: &Value, action: &str, tag, in_use| {
            let losses = losses(&rule(selection.clone(), action), tag, in_use);
            losses.into_iter().map(|loss| (loss.archives, loss.text)).collect::<Vec<_>>()
        };
        let count = |number: u32| json!({ "tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": number });
        let days = |tags: &str, kind: &str| json!({ "tagStatus": tags, "countType": kind, "countUnit": "days", "countNumber": 14 });
        let prefixed = json!({ "tagStatus": "tagged", "tagPrefixList": ["dev-"], "countType": "sinceImagePushed", "countNumber": 1 });
        let archived = json!({ "tagStatus": "any", "storageClass": "archive", "countType": "sinceImagePushed", "countNumber": 400 });
        for (selection, action, tag, in_use, found) in [
            (count(3), "expire", Some("v1"), 3, None),
            (
                count(2),
                "expire",
                Some("v1"),
                3,
                Some((false, "the newest 2 are kept, and 3 tags are in use here")),
            ),
            (count(3), "transition", Some("v1"), 3, None),
            (
                count(2),
                "transition",
                Some("v1"),
                3,
                Some((true, "all but the newest 2 are archived, and 3 tags are in use here")),
            ),
            (
                days("any", "sinceImagePushed"),
                "expire",
                None,
                1,
                Some((false, "it expires 14 days after its import, in use or not")),
            ),
            (
                days("any", "sinceImagePushed"),
                "transition",
                None,
                1,
                Some((true, "it is archived 14 days after its import, in use or not")),
            ),
            (
                days("any", "sinceImagePulled"),
                "transition",
                None,
                1,
                Some((true, "it is archived 14 days after its last pull, in use or not")),
            ),
            (days("untagged", "sinceImagePushed"), "expire", Some("v1"), 1, None),
            (days("untagged", "sinceImagePulled"), "transition", Some("v1"), 1, None),
            (prefixed.clone(), "expire", Some("v1"), 1, None),
            (
                prefixed,
                "expire",
                Some("dev-1"),
                1,
                Some((false, "it expires 1 days after its import, in use or not")),
            ),
            // It was in the archive before: the rule that puts it there is the one to name.
            (archived, "expire", Some("v1"), 1, None),
        ] {
            let expected: Vec<_> =
                found.into_iter().map(|(archives, text)| (archives, text.to_owned())).collect();
            assert_eq!(of(&selection, action, tag, in_use), expected, "{action} {selection}");
        }
        assert!(losses(&json!("nonsense"), Some("v1"), 1).is_empty());
    }
}
