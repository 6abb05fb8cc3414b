//! The registry's policy: one document for all. Statements are known by their `Sid`; those of others stay.

use serde_json::{Value, json};

use super::change::{Action, Change, Fields};
use super::failure::{self, AwsFailure, Seen};
use super::session::Session;
use crate::resource::{Id, Kind, Statement};

/// The statements of the policy, in their order; none where there is no policy.
pub(crate) async fn read(session: &Session) -> Seen<Vec<Value>> {
    let sent = session.ecr.get_registry_policy().send().await;
    let text = match sent.map_err(failure::of("ecr:GetRegistryPolicy")) {
        Err(failure) if failure.is(&["RegistryPolicyNotFoundException"]) => return Ok(Vec::new()),
        result => result?.policy_text,
    };
    // What cannot be read must not be taken for a policy without statements: it is written again whole.
    let statements = text.and_then(|text| statements_of(&text));
    statements.ok_or_else(|| AwsFailure::incomplete("ecr:GetRegistryPolicy"))
}

/// `None` for a text that is no policy.
fn statements_of(text: &str) -> Option<Vec<Value>> {
    let Value::Object(mut document) = serde_json::from_str(text).ok()? else { return None };
    match document.remove("Statement")? {
        Value::Array(statements) => Some(statements),
        statement @ Value::Object(_) => Some(vec![statement]),
        _ => None,
    }
}

fn with_sid<'a>(statements: &'a [Value], sid: &str) -> Option<&'a Value> {
    statements.iter().find(|statement| statement.get("Sid").and_then(Value::as_str) == Some(sid))
}

pub(super) fn compare(desired: &Statement, current: &[Value]) -> Change {
    let id = Id::new(Kind::RegistryPolicy, &desired.sid);
    let what = "one statement of the registry's policy";
    let Some(found) = with_sid(current, &desired.sid) else { return Change::new(Action::Create, id, what) };
    let mut fields = Fields::default();
    fields.document("statement", Some(found), Some(&desired.statement));
    fields.into_change(id, what, Action::Update)
}

/// The statements with one put in, or taken out.
fn edited(mut statements: Vec<Value>, sid: &str, to: Option<&Value>) -> Vec<Value> {
    let at = statements.iter().position(|known| known.get("Sid").and_then(Value::as_str) == Some(sid));
    match (at, to) {
        (Some(at), Some(to)) => {
            if let Some(known) = statements.get_mut(at) {
                *known = to.clone();
            }
        }
        (Some(at), None) => drop(statements.remove(at)),
        (None, Some(to)) => statements.push(to.clone()),
        (None, None) => {}
    }
    statements
}

/// Merges with what is there now.
pub(super) async fn write(session: &Session, statement: &Statement) -> Result<(), AwsFailure> {
    let statements = edited(read(session).await?, &statement.sid, Some(&statement.statement));
    put(session, statements).await
}

pub(super) async fn delete(session: &Session, sid: &str) -> Result<(), AwsFailure> {
    let before = read(session).await?;
    let statements = edited(before.clone(), sid, None);
    if statements == before { Ok(()) } else { put(session, statements).await }
}

async fn put(session: &Session, statements: Vec<Value>) -> Result<(), AwsFailure> {
    if statements.is_empty() {
        let sent = session.ecr.delete_registry_policy().send().await;
        return sent.map(drop).map_err(failure::of("ecr:DeleteRegistryPolicy"));
    }
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let sent = session.ecr.put_registry_policy().policy_text(document).send().await;
    sent.map(drop).map_err(failure::of("ecr:PutRegistryPolicy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_policy_has_no_statements_to_keep() {
        let one = json!({"Sid": "a"});
        let text = |statement: &Value| json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        assert_eq!(statements_of(&text(&json!([one]))), Some(vec![one.clone()]));
        assert_eq!(statements_of(&text(&one)), Some(vec![one]));
        assert_eq!(statements_of(&text(&json!([]))), Some(Vec::new()));
        for text in ["", "{", "null", "[]", "{}", "{\"Statement\": 1}"] {
            assert_eq!(statements_of(text), None, "{text}");
        }
    }

    #[test]
    fn statements_of_others_stay_where_they_are() {
        let others =
            vec![json!({ "Sid": "a" }), json!({ "Effect": "Deny" }), json!({ "Sid": "ours", "x": 1 })];
        let after = edited(others.clone(), "ours", Some(&json!({ "Sid": "ours", "x": 2 })));
        assert_eq!(
            after,
            [json!({ "Sid": "a" }), json!({ "Effect": "Deny" }), json!({ "Sid": "ours", "x": 2 })]
        );
        assert_eq!(edited(after, "ours", None), others.get(..2).unwrap_or_default());
        assert_eq!(edited(Vec::new(), "ours", None), Vec::<Value>::new());
    }
}
