//! How values are read, with what is wrong said at their place: the limits of AWS that one value can break by itself.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::{Deserialize, Deserializer};

use super::text::{GithubRepository, parsed};
use super::{Access, Lifecycle, Replication, ScanRule, TagMutability, Tags};
use crate::config::text::Text;

pub(super) fn parsed_some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

/// A text that parses as what it is for.
struct Element<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer).map(Element)
    }
}

pub(super) fn parsed_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    Ok(Vec::<Element<T>>::deserialize(deserializer)?.into_iter().map(|element| element.0).collect())
}

/// Tags as every service takes them (AWS general reference, "Tag naming limits and requirements").
pub(super) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    let tags = Tags::deserialize(deserializer)?;
    let plain = |text: &str| {
        let is_plain =
            |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
        text.chars().all(is_plain)
    };
    for (name, value) in &tags {
        if name.is_empty() || name.chars().count() > 128 || value.chars().count() > 256 {
            return Err(de::Error::custom(format!(
                "the tag `{name}` is too long or empty: a name has 1 to 128 characters, a value 256 at most"
            )));
        }
        if name.to_lowercase().starts_with("aws:") {
            return Err(de::Error::custom(format!(
                "the tag `{name}` begins with `aws:`, which AWS keeps for itself"
            )));
        }
        if !plain(name) || !plain(value) {
            return Err(de::Error::custom(format!(
                "the tag `{name}: {value}` has a character that AWS does not take: write letters, digits, spaces and `_.:/=+-@`"
            )));
        }
    }
    Ok(tags)
}

pub(super) fn recovery_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Option::<u8>::deserialize(deserializer)? {
        Some(days @ 1..=6 | days @ 31..) => Err(de::Error::custom(format!(
            "`{days}` is no recovery window: write 0 for none, or 7 to 30 days"
        ))),
        days => Ok(days),
    }
}

pub(super) fn no<T, E: de::Error>(message: impl fmt::Display) -> Result<T, E> {
    Err(E::custom(message))
}

/// 1 to 5 patterns (ECR API reference, `TagMutabilityExclusionFilters`).
pub(super) fn mutability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TagMutability, D::Error> {
    let read = TagMutability::deserialize(deserializer)?;
    match &read {
        TagMutability::MutableExcept(patterns) | TagMutability::ImmutableExcept(patterns)
            if !(1..=5).contains(&patterns.len()) =>
        {
            no(format!("{} patterns of tags, and ECR takes 1 to 5", patterns.len()))
        }
        _ => Ok(read),
    }
}

pub(super) fn lifecycle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lifecycle>, D::Error> {
    let read = Option::<Lifecycle>::deserialize(deserializer)?;
    let Some(lifecycle) = &read else { return Ok(None) };
    let short = lifecycle.keep.is_some() || lifecycle.expire_untagged_days.is_some();
    if lifecycle.policy.is_some() == short {
        return no("`lifecycle` has to have `policy`, or `keep` or `expire-untagged-days`");
    }
    if !lifecycle.tag_prefixes.is_empty() && lifecycle.keep.is_none() {
        return no("`tag-prefixes` says what `keep` counts, and there is no `keep`");
    }
    Ok(read)
}

pub(super) fn access<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Access>, D::Error> {
    let read = Option::<Access>::deserialize(deserializer)?;
    let Some(access) = &read else { return Ok(None) };
    let short = !access.pull_accounts.is_empty() || access.pull_organization.is_some();
    if access.policy.is_some() == short {
        return no("`access` has to have `policy`, or `pull-accounts` or `pull-organization`");
    }
    Ok(read)
}

/// 2 rules with 100 filters each (ECR API reference, `RegistryScanningRuleList`, `ScanningRepositoryFilterList`).
pub(super) fn scan_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ScanRule>, D::Error> {
    let rules = Vec::<ScanRule>::deserialize(deserializer)?;
    let filters = rules.iter().map(|rule| rule.filters.len()).max().unwrap_or(0);
    if rules.len() > 2 || filters > 100 {
        return no("ECR takes 2 scanning rules, with 100 filters each");
    }
    Ok(rules)
}

/// 10 rules (user guide, "Amazon ECR service quotas").
pub(super) fn replication_rules<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Replication>, D::Error> {
    let rules = Vec::<Replication>::deserialize(deserializer)?;
    if rules.len() > 10 { no("ECR takes 10 replication rules") } else { Ok(rules) }
}

pub(super) fn named_statements<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<serde_json::Value>, D::Error> {
    let statements = Vec::<serde_json::Value>::deserialize(deserializer)?;
    let sid = |statement: &serde_json::Value| {
        statement.get("Sid").and_then(|sid| sid.as_str()).is_some_and(|s| !s.is_empty())
    };
    if statements.iter().all(sid) {
        Ok(statements)
    } else {
        no("a statement needs a `Sid`: by it, it is known again among those of others")
    }
}

pub(super) fn some_texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let texts = Vec::<Text>::deserialize(deserializer)?;
    if texts.is_empty() { no("the list is empty: name at least one") } else { Ok(texts) }
}

pub(super) fn some_repositories<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<GithubRepository>, D::Error> {
    let repositories = Vec::<GithubRepository>::deserialize(deserializer)?;
    if repositories.is_empty() {
        no("the list is empty: name at least one repository")
    } else {
        Ok(repositories)
    }
}

pub(super) fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("0 would expire everything: write 1 or more")),
        number => Ok(number),
    }
}
