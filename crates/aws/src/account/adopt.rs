//! Makes one resource that is there the stack's: it gets the stack's mark, and nothing else of it changes.

use super::change::{Action, Change};
use super::failure::{self, AwsFailure};
use super::session::Session;
use super::{rule, template};
use crate::resource::{Id, Kind, MARKER, STACK, Template};

/// Marks `id` as the stack's. `templates` are those that the configuration wants: a rule whose prefix has no template gets
/// one of them, since a rule has no mark of its own.
///
/// # Errors
/// When it is not there, or AWS refuses.
pub async fn adopt(
    session: &Session,
    stack: &str,
    id: &Id,
    templates: &[Template],
) -> Result<(), AwsFailure> {
    match id.kind {
        Kind::Secret => {
            let tag = |key: &str, value: &str| {
                aws_sdk_secretsmanager::types::Tag::builder().key(key).value(value).build()
            };
            let call = session.secrets.tag_resource().secret_id(&id.name);
            let sent = call.tags(tag(MARKER.0, MARKER.1)).tags(tag(STACK, stack)).send().await;
            sent.map(drop).map_err(failure::of("secretsmanager:TagResource"))
        }
        Kind::Rule | Kind::Template => {
            let found = template::read(session).await?.remove(&id.name);
            let rules = rule::read(session).await?;
            if found.is_none() && !(id.kind == Kind::Rule && rules.contains_key(&id.name)) {
                return Err(AwsFailure::absent(id));
            }
            let wanted = templates.iter().find(|template| template.prefix == id.name);
            let action = if found.is_some() { Action::Update } else { Action::Create };
            let template = found.or_else(|| wanted.cloned()).ok_or_else(|| AwsFailure::absent(id))?;
            let template = Template { stack: Some(stack.to_owned()), ..template };
            let change = Change::new(action, Id::new(Kind::Template, &id.name), "");
            template::write(session, &change, &template).await
        }
        Kind::RegistryPolicy | Kind::Scanning | Kind::Repository => Err(AwsFailure::absent(id)),
    }
}
