//! Keys of the customer's, known by their alias.

use aws_sdk_kms::types::Tag;
use serde_json::Value;

use super::change::{Action, Change, Fields};
use super::current::Seen;
use super::failure::{self, AwsFailure};
use super::session::Session;
use super::settle::settled;
use crate::aws::resource::{self, Id, Key, Kind};
use crate::config::{Arn, Tags};

/// Days until a key that is deleted is gone; the shortest that KMS takes.
const PENDING_DAYS: i32 = 7;

/// A key that is there.
#[derive(Clone, Debug)]
pub struct FoundKey {
    pub arn: Arn,
    pub id: String,
    pub enabled: bool,
    pub policy: Option<Value>,
    pub tags: Tags,
}

pub(super) async fn read(session: &Session, alias: &str) -> Seen<Option<FoundKey>> {
    let sent = session.kms.describe_key().key_id(format!("alias/{alias}")).send().await;
    let described = match sent.map_err(failure::of("kms:DescribeKey")) {
        Err(failure) if failure.is(&["NotFoundException"]) => return Ok(None),
        result => result?.key_metadata,
    };
    let key = described.ok_or(AwsFailure::incomplete("kms:DescribeKey"))?;
    let arn = key.arn.as_deref().and_then(|arn| arn.parse().ok());
    let arn = arn.ok_or(AwsFailure::incomplete("kms:DescribeKey"))?;
    let policy = session.kms.get_key_policy().key_id(&key.key_id).policy_name("default").send().await;
    let policy = policy.map_err(failure::of("kms:GetKeyPolicy"))?.policy;
    let tags = session.kms.list_resource_tags().key_id(&key.key_id).send().await;
    let tags = tags.map_err(failure::of("kms:ListResourceTags"))?.tags.unwrap_or_default();
    Ok(Some(FoundKey {
        arn,
        id: key.key_id,
        enabled: key.enabled,
        policy: policy.and_then(|text| serde_json::from_str(&text).ok()),
        tags: tags.into_iter().map(|tag| (tag.tag_key, tag.tag_value)).collect(),
    }))
}

/// Did pullthru make it?
pub(super) fn is_ours(key: &FoundKey) -> bool {
    resource::is_ours(&key.tags)
}

pub(super) fn compare(desired: &Key, current: Option<&FoundKey>) -> Change {
    let id = Id::new(Kind::Key, &desired.alias);
    let Some(current) = current else { return Change::new(Action::Create, id, &desired.description) };
    if !current.enabled {
        let change = Change::new(Action::Blocked, id, &desired.description);
        return change.note(
            "the key of this alias is disabled or about to be deleted: nothing can be encrypted with it",
        );
    }
    if !is_ours(current) {
        return Change::new(Action::Keep, id, "").note("something else made it: it is used as it is");
    }
    let mut fields = Fields::default();
    fields.document("policy", current.policy.as_ref(), Some(&desired.policy));
    fields.tags(&current.tags, &desired.tags);
    fields.into_change(id, &desired.description, Action::Update)
}

fn tags(key: &Key) -> Result<Vec<Tag>, AwsFailure> {
    let tag = |(name, value): (&String, &String)| {
        let built = Tag::builder().tag_key(name).tag_value(value).build();
        built.map_err(|_| AwsFailure::incomplete("kms:TagResource"))
    };
    key.tags.iter().map(tag).collect()
}

/// The ARN of the key when it was made.
pub(super) async fn write(
    session: &Session,
    change: &Change,
    key: &Key,
    current: Option<&FoundKey>,
) -> Result<Option<Arn>, AwsFailure> {
    if let Some(current) = current.filter(|_| change.action == Action::Update) {
        if change.differs("policy") {
            let put = session.kms.put_key_policy().key_id(&current.id).policy_name("default");
            let sent = put.policy(key.policy.to_string()).send().await;
            sent.map_err(failure::of("kms:PutKeyPolicy"))?;
        }
        if change.differs("tags") {
            let sent = session.kms.tag_resource().key_id(&current.id).set_tags(Some(tags(key)?)).send().await;
            sent.map_err(failure::of("kms:TagResource"))?;
        }
        return Ok(None);
    }
    let create = session.kms.create_key().description(&key.description).policy(key.policy.to_string());
    let made = create.set_tags(Some(tags(key)?)).send().await.map_err(failure::of("kms:CreateKey"))?;
    let made = made.key_metadata.ok_or(AwsFailure::incomplete("kms:CreateKey"))?;
    let named = async {
        let alias = || async {
            let create = session.kms.create_alias().alias_name(format!("alias/{}", key.alias));
            let sent = create.target_key_id(&made.key_id).send().await;
            sent.map(drop).map_err(failure::of("kms:CreateAlias"))
        };
        settled(session.patience, &["NotFoundException"], alias).await?;
        let rotate = || async {
            let sent = session.kms.enable_key_rotation().key_id(&made.key_id).send().await;
            sent.map(drop).map_err(failure::of("kms:EnableKeyRotation"))
        };
        settled(session.patience, &["NotFoundException"], rotate).await
    };
    if let Err(failure) = named.await {
        // A key without a name would be made again by the next run, and cost.
        let undo = session.kms.schedule_key_deletion().key_id(&made.key_id);
        let undone = undo.pending_window_in_days(PENDING_DAYS).send().await;
        let rest = match undone {
            Ok(_) => "; the key is deleted again".to_owned(),
            Err(_) => format!("; the key `{}` is left without a name", made.key_id),
        };
        return Err(AwsFailure { message: failure.message.clone() + &rest, ..failure });
    }
    Ok(made.arn.and_then(|arn| arn.parse().ok()))
}
