//! Documents of registries and repositories: what they say to one principal. Pure, and no more than is needed to tell a
//! refusal: a condition is not evaluated, and what has one is not sure.

use serde_json::Value;

use pullthru_core::config::Arn;

/// What a document says to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Allowed,
    /// Denied, and no grant elsewhere changes that.
    Denied,
    /// Denied under a condition that was not evaluated.
    MaybeDenied,
    /// Nothing.
    Silent,
}

/// What statements say to a principal about an action; `resource` is `None` for a repository's own policy, which names none.
pub(super) fn says(statements: &[Value], principal: &Arn, action: &str, resource: Option<&str>) -> Said {
    let mut said = Said::Silent;
    for statement in statements {
        let about = is_for(statement, principal)
            && lists(statement, "Action", action, true)
            && resource.is_none_or(|resource| lists(statement, "Resource", resource, false));
        if !about {
            continue;
        }
        let conditional = member(statement, "Condition").as_object().is_some_and(|keys| !keys.is_empty());
        match (member(statement, "Effect").as_str(), conditional) {
            (Some("Deny"), false) => return Said::Denied,
            (Some("Deny"), true) => said = Said::MaybeDenied,
            (Some("Allow"), _) if said == Said::Silent => said = Said::Allowed,
            _ => {}
        }
    }
    said
}

/// The statements of a document.
pub(super) fn statements(document: &Value) -> Vec<Value> {
    items(member(document, "Statement")).cloned().collect()
}

/// May a service of AWS take a role with this trust?
pub(super) fn trusts(trust: &Value, service: &str) -> bool {
    statements(trust).iter().any(|statement| {
        let services = member(member(statement, "Principal"), "Service");
        member(statement, "Effect") == "Allow"
            && items(services).any(|known| known == service)
            && lists(statement, "Action", "sts:AssumeRole", true)
    })
}

fn is_for(statement: &Value, principal: &Arn) -> bool {
    let named = |wanted: &Value| {
        let all = items(wanted).filter_map(Value::as_str).any(|text| text == "*");
        all || items(member(wanted, "AWS")).filter_map(Value::as_str).any(|text| is(text, principal))
    };
    match member(statement, "NotPrincipal") {
        Value::Null => named(member(statement, "Principal")),
        except => !named(except),
    }
}

/// Does a principal of a policy stand for this role or user? An account stands for all of its own.
fn is(text: &str, principal: &Arn) -> bool {
    text == "*"
        || text == principal.account
        || text == principal.to_string()
        || text == format!("arn:{}:iam::{}:root", principal.partition, principal.account)
}

/// Is `text` among an element, or not among its `Not…` form?
fn lists(statement: &Value, element: &str, text: &str, fold: bool) -> bool {
    let fits = |list: &Value| {
        items(list).filter_map(Value::as_str).any(|pattern| {
            if fold {
                matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
            } else {
                matches(pattern, text)
            }
        })
    };
    match (member(statement, element), member(statement, &format!("Not{element}"))) {
        (Value::Null, Value::Null) => element == "Resource",
        (Value::Null, except) => !fits(except),
        (list, _) => fits(list),
    }
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// One or a list.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    one.into_iter().chain(value.as_array().into_iter().flatten())
}

/// Does `text` match `pattern`, in which `*` stands for any run of characters and `?` for one? In time that grows with the
/// product of their lengths at most.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star, mut mark) = (0, 0, None, 0);
    while let Some(letter) = text.get(at) {
        match pattern.get(from) {
            Some('*') => {
                star = Some(from);
                mark = at;
                from += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some(star) => {
                    from = star + 1;
                    mark += 1;
                    at = mark;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(from).all(|left| *left == '*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(statement: Value, role: &str) -> Said {
        let resource = "arn:aws:ecr:eu-central-1:123456789012:repository/ghcr/o/app";
        says(&[statement], &role.parse().unwrap(), "ecr:BatchImportUpstreamImage", Some(resource))
    }

    #[test]
    fn statements_by_principal_action_resource_and_condition() {
        let (ours, theirs) = ("arn:aws:iam::123456789012:role/node", "arn:aws:iam::210987654321:role/node");
        let allow = json!({
            "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
            "Action": ["ecr:CreateRepository", "ecr:BatchImport*"],
            "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/ghcr/*",
        });
        assert_eq!(said(allow.clone(), theirs), Said::Allowed);
        assert_eq!(said(allow, ours), Said::Silent);
        let deny =
            json!({ "Effect": "Deny", "Principal": "*", "NotAction": "ecr:DescribeImages", "Resource": "*" });
        assert_eq!(said(deny, ours), Said::Denied);
        let elsewhere = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/quay/*" });
        assert_eq!(said(elsewhere, ours), Said::Silent);
        let conditional = json!({
            "Effect": "Deny", "Principal": "*", "Action": "ECR:*", "Resource": "*",
            "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } },
        });
        assert_eq!(said(conditional, ours), Said::MaybeDenied);
        let except =
            json!({ "Effect": "Deny", "NotPrincipal": { "AWS": [ours] }, "Action": "*", "Resource": "*" });
        assert_eq!(said(except.clone(), ours), Said::Silent);
        assert_eq!(said(except, theirs), Said::Denied);
    }

    #[test]
    fn a_deny_wins_over_an_allow_before_it() {
        let both = [
            json!({ "Effect": "Allow", "Principal": "*", "Action": "*" }),
            json!({ "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage" }),
        ];
        let role = "arn:aws:iam::123456789012:role/node".parse().unwrap();
        assert_eq!(says(&both, &role, "ecr:BatchGetImage", None), Said::Denied);
        assert_eq!(says(&both, &role, "ecr:GetDownloadUrlForLayer", None), Said::Allowed);
    }

    #[test]
    fn trust_names_a_service() {
        let trust = json!({ "Statement": { "Effect": "Allow", "Principal": { "Service": ["ec2.amazonaws.com", "ecr.amazonaws.com"] }, "Action": "sts:AssumeRole" } });
        assert!(trusts(&trust, "ecr.amazonaws.com"));
        assert!(!trusts(&trust, "pullthroughcache.ecr.amazonaws.com"));
        assert!(!trusts(&Value::Null, "ecr.amazonaws.com"));
    }
}
