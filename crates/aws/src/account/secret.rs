//! Secrets of upstream logins. What is in one is read to say whether ECR can use it, and kept nowhere.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::failure::{self, AwsFailure, Seen};
use super::session::Session;
use super::settle::settled;
use super::token::{Token, wrong_kind};
use crate::resource::{self, Id, Kind, Secret};
use pullthru_core::config::{Arn, Tags};
use pullthru_registry::Scrub;

/// A secret that is there.
#[derive(Clone, Debug)]
pub struct FoundSecret {
    pub arn: Arn,
    /// The key, unless it is the one that AWS manages.
    pub key: Option<String>,
    /// It is deleted, and can be restored for a while.
    pub pending_deletion: bool,
    pub tags: Tags,
    /// `None` where it has never been given a value.
    pub contents: Seen<Option<Contents>>,
    /// It was made or changed a moment ago: ECR may not see it yet.
    pub recent: bool,
}

/// What can be said of a secret's value without printing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub username: Option<String>,
    pub problems: Vec<Problem>,
}

/// Why ECR cannot use a secret (user guide, "Storing your upstream repository credentials in an AWS Secrets Manager
/// secret").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("its value is no JSON object: ECR wants `{{\"username\": …, \"accessToken\": …}}`")]
    NotJson,
    #[error("its value has the key `{found}`, and ECR reads `{wanted}`")]
    WrongKey { found: String, wanted: &'static str },
    #[error("its value lacks the key `{0}`")]
    NoKey(&'static str),
    #[error("the key `{0}` of its value is empty or no text")]
    Empty(&'static str),
    #[error("its token is {0}, which ghcr.io does not take for packages")]
    Kind(&'static str),
    #[error("it is encrypted with the key `{0}`: ECR can decrypt with the key `aws/secretsmanager` only")]
    Key(String),
    #[error("it is deleted, and can be restored still")]
    Deleted,
    #[error("it has no value")]
    NoValue,
}

/// Keys that people write for those that ECR reads.
const MISTAKEN: [(&str, &str); 10] = [
    ("password", "accessToken"),
    ("accesstoken", "accessToken"),
    ("access_token", "accessToken"),
    ("access-token", "accessToken"),
    ("token", "accessToken"),
    ("user", "username"),
    ("userName", "username"),
    ("Username", "username"),
    ("user_name", "username"),
    ("login", "username"),
];

impl Contents {
    /// Judges a value; none of it stays but the user name.
    pub fn judge(value: &str, upstream: &str) -> Contents {
        let mut contents = Contents { username: None, problems: Vec::new() };
        let Ok(Value::Object(members)) = serde_json::from_str::<Value>(value) else {
            contents.problems.push(Problem::NotJson);
            return contents;
        };
        for wanted in ["username", "accessToken"] {
            match members.get(wanted).map(|member| member.as_str().unwrap_or_default().trim()) {
                Some("") => contents.problems.push(Problem::Empty(wanted)),
                Some(text) if wanted == "username" => contents.username = Some(text.to_owned()),
                Some(text) => contents.problems.extend(wrong_kind(upstream, text).map(Problem::Kind)),
                None => {
                    let found = MISTAKEN
                        .iter()
                        .find(|(found, meant)| *meant == wanted && members.contains_key(*found));
                    contents.problems.push(match found {
                        Some((found, _)) => Problem::WrongKey { found: (*found).to_owned(), wanted },
                        None => Problem::NoKey(wanted),
                    });
                }
            }
        }
        contents
    }
}

impl FoundSecret {
    /// Everything that keeps ECR from using it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.key.iter().cloned().map(Problem::Key).collect();
        if self.pending_deletion {
            problems.push(Problem::Deleted);
        }
        match &self.contents {
            Ok(Some(contents)) => problems.extend(contents.problems.iter().cloned()),
            Ok(None) if !self.pending_deletion => problems.push(Problem::NoValue),
            _ => {}
        }
        problems
    }

    /// Did this stack make it?
    pub fn is_of(&self, stack: &str) -> bool {
        resource::stack_of(&self.tags) == Some(stack)
    }
}

/// Seconds in which a new secret may not be seen everywhere.
const SETTLING: i64 = 300;

/// One secret by name or ARN; `None` where there is none.
pub(crate) async fn read(session: &Session, id: &str, upstream: &str) -> Seen<Option<FoundSecret>> {
    let described = session.secrets.describe_secret().secret_id(id).send().await;
    let described = match described.map_err(failure::of("secretsmanager:DescribeSecret")) {
        Err(failure) if failure.is(&["ResourceNotFoundException"]) => return Ok(None),
        result => result?,
    };
    let arn = described.arn.as_deref().and_then(|arn| arn.parse().ok());
    let arn = arn.ok_or(AwsFailure::incomplete("secretsmanager:DescribeSecret"))?;
    let pending_deletion = described.deleted_date.is_some();
    let contents = if pending_deletion { Ok(None) } else { contents(session, id, upstream).await };
    let changed = described.last_changed_date.or(described.created_date).map(|date| date.secs());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let tags = described.tags.unwrap_or_default();
    Ok(Some(FoundSecret {
        arn,
        recent: changed.is_some_and(|at| i64::try_from(now.as_secs()).is_ok_and(|now| now - at < SETTLING)),
        key: described.kms_key_id.filter(|key| !key.ends_with("alias/aws/secretsmanager")),
        pending_deletion,
        tags: tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
        contents,
    }))
}

async fn contents(session: &Session, id: &str, upstream: &str) -> Seen<Option<Contents>> {
    let value = session.secrets.get_secret_value().secret_id(id).send().await;
    match value.map_err(failure::of("secretsmanager:GetSecretValue")) {
        Err(failure) if failure.is(&["ResourceNotFoundException"]) => Ok(None),
        result => Ok(Some(Contents::judge(result?.secret_string().unwrap_or_default(), upstream))),
    }
}

/// User and token of a secret that ECR can use, to ask the upstream as ECR does.
pub(crate) async fn login(session: &Session, id: &str) -> Seen<Option<(String, Token)>> {
    let value = session.secrets.get_secret_value().secret_id(id).send().await;
    let value = value.map_err(failure::of("secretsmanager:GetSecretValue"))?;
    let value: Value = serde_json::from_str(value.secret_string().unwrap_or_default()).unwrap_or_default();
    let text =
        |key: &str| value.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    Ok(text("username").zip(text("accessToken")).map(|(user, token)| (user.to_owned(), Token::new(token))))
}

pub(super) fn compare(desired: &Secret, current: Option<&FoundSecret>, rotate: bool) -> Change {
    let id = Id::new(Kind::Secret, &desired.name);
    let what = format!("the login at {}", desired.upstream);
    let Some(current) = current else { return Change::new(Action::Create, id, what) };
    let stack = resource::stack_of(&current.tags);
    if stack != resource::stack_of(&desired.tags) {
        let mut change = Change::new(Action::Keep, id, what)
            .note(format!("{}: it is used as it is", resource::maker(stack)));
        change.notes.extend(current.problems().iter().map(|problem| format!("ECR cannot use it: {problem}")));
        if rotate {
            change = change.note("its token is not replaced: replace it where the secret is made");
        }
        if rotate || !current.problems().is_empty() {
            change.action = Action::Blocked;
        }
        return change;
    }
    let mut fields = Fields::default();
    fields.tags(&current.tags, &desired.tags);
    let problems: Vec<String> = current.problems().iter().map(ToString::to_string).collect();
    if rotate || !problems.is_empty() {
        fields.value("value", if rotate { "what it is" } else { "what ECR cannot use" }, "a new token");
    }
    if let (Ok(Some(contents)), Some(username)) = (&current.contents, &desired.username)
        && contents.username.as_ref() != Some(username)
        && problems.is_empty()
    {
        fields.value("username", &contents.username, username);
    }
    let mut change = fields.into_change(id, what, Action::Update);
    change.notes.extend(problems.iter().map(|problem| format!("ECR cannot use it: {problem}")));
    if let Err(failure) = &current.contents {
        change.notes.push(format!("what is in it was not looked at: {failure}"));
    }
    change
}

/// Does carrying the change out write a token?
pub(super) fn needs_token(change: &Change) -> bool {
    change.action == Action::Create || change.differs("value") || change.differs("username")
}

/// The ARN of the secret when it was made. An error never holds the token, whatever AWS sends back.
pub(super) async fn write(
    session: &Session,
    change: &Change,
    secret: &Secret,
    found: Option<&FoundSecret>,
    token: Option<&(String, Token)>,
) -> Result<Option<Arn>, AwsFailure> {
    put(session, change, secret, found, token).await.map_err(|failure| {
        let scrub = Scrub::default();
        if let Some((_, token)) = token {
            scrub.learn(token);
        }
        let message = scrub.quote(&failure.message, usize::MAX);
        AwsFailure { message, ..failure }
    })
}

async fn put(
    session: &Session,
    change: &Change,
    secret: &Secret,
    found: Option<&FoundSecret>,
    token: Option<&(String, Token)>,
) -> Result<Option<Arn>, AwsFailure> {
    let value = token.map(|(username, token)| {
        serde_json::json!({ "username": username, "accessToken": token.reveal() }).to_string()
    });
    let tags: Vec<Tag> =
        secret.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    if change.action == Action::Create {
        let call = || async {
            let create = session.secrets.create_secret().name(&secret.name).set_secret_string(value.clone());
            let create = create.description("login of ECR at an upstream; made by pullthru");
            let sent = create.set_tags(Some(tags.clone())).send().await;
            sent.map_err(failure::of("secretsmanager:CreateSecret"))
        };
        // A secret that was deleted at once is gone only a little later.
        let made = settled(session.patience, &["InvalidRequestException"], call).await?;
        return Ok(made.arn.and_then(|arn| arn.parse().ok()));
    }
    let name = &secret.name;
    if found.is_some_and(|found| found.pending_deletion) {
        let sent = session.secrets.restore_secret().secret_id(name).send().await;
        sent.map_err(failure::of("secretsmanager:RestoreSecret"))?;
    }
    if change.differs("tags") {
        let sent = session.secrets.tag_resource().secret_id(name).set_tags(Some(tags)).send().await;
        sent.map_err(failure::of("secretsmanager:TagResource"))?;
    }
    if let Some(value) = value.filter(|_| needs_token(change)) {
        let sent = session.secrets.put_secret_value().secret_id(name).secret_string(value).send().await;
        sent.map_err(failure::of("secretsmanager:PutSecretValue"))?;
    }
    Ok(None)
}

pub(super) async fn delete(
    session: &Session,
    name: &str,
    recovery_window_days: u8,
) -> Result<(), AwsFailure> {
    let delete = session.secrets.delete_secret().secret_id(name);
    let delete = match recovery_window_days {
        0 => delete.force_delete_without_recovery(true),
        days => delete.recovery_window_in_days(days.into()),
    };
    let sent = delete.send().await.map_err(failure::of("secretsmanager:DeleteSecret"));
    match sent {
        Err(failure) if failure.is(&["ResourceNotFoundException"]) => Ok(()),
        result => result.map(drop),
    }
}

/// Secrets that are there, by name: those wanted and those that rules name.
pub(super) type Secrets = BTreeMap<String, Seen<Option<FoundSecret>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_ecr_cannot_use() {
        let problems = |value: &str| {
            let contents = Contents::judge(value, "ghcr.io");
            contents.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(problems(r#"{"username":"bot","accessToken":"ghp_x"}"#), "");
        assert_eq!(problems(r#"{"username":"bot","accessToken":"ghp_x","note":1}"#), "");
        assert_eq!(
            problems(r#"{"username":"bot","password":"ghp_x"}"#),
            "its value has the key `password`, and ECR reads `accessToken`"
        );
        assert_eq!(
            problems(r#"{"user":"bot","accessToken":""}"#),
            "its value has the key `user`, and ECR reads `username`; the key `accessToken` of its value is empty or no text"
        );
        assert_eq!(
            problems(r#"{"username":"bot","accessToken":"github_pat_1"}"#),
            "its token is a fine-grained personal access token, which ghcr.io does not take for packages"
        );
        assert!(problems("ghp_x").starts_with("its value is no JSON object"));
        assert_eq!(problems(r#"{"username":"bot"}"#), "its value lacks the key `accessToken`");
    }
}
