//! What exists: accounts, their Regions, and what is in them. Operations see one account and Region through a
//! [`Scope`].
//!
//! Resources are kept as the API describes them, so that reading back is no translation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use registry_sim::{Cache, Rule, Upstream};
use serde_json::{Map, Value, json};

use crate::ecr::Ecr;
use crate::error::{AwsError, error};
use crate::iam::Iam;
use crate::model::Service;
use crate::secrets::Secret;
use crate::sim::Settings;

/// Resources by name or id, as the API describes them.
pub(crate) type Table = BTreeMap<String, Value>;

/// Who may log in at an upstream.
#[derive(Clone, Debug)]
pub(crate) enum Logins {
    Known(Vec<(String, String)>),
    Asked(Arc<Upstream>),
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// ARN of the caller by access key id; any other key is the default caller's.
    pub(crate) callers: BTreeMap<String, String>,
    pub(crate) upstreams: BTreeMap<String, Logins>,
    pub(crate) cache: Option<Arc<Cache>>,
    /// Prefixes of the rules that the cache has from here.
    taught: BTreeSet<String>,
    /// For how many reads a new resource of a kind stays unseen.
    pub(crate) delays: BTreeMap<String, u32>,
    /// Reads left until a resource is seen, by `kind/id`.
    hidden: BTreeMap<String, u32>,
    /// How many ids were given out.
    ids: u64,
}

/// An account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) iam: Iam,
    pub(crate) regions: BTreeMap<String, Region>,
}

/// What an account has in a Region.
#[derive(Debug, Default)]
pub(crate) struct Region {
    pub(crate) ecr: Ecr,
    pub(crate) secrets: BTreeMap<String, Secret>,
}

impl World {
    /// What one account has in one Region, and who asks.
    pub(crate) fn scope<'a>(
        &'a mut self,
        service: &'static Service,
        operation: &'a str,
        region: &str,
        caller: &str,
    ) -> Scope<'a> {
        let account = caller.split(':').nth(4).unwrap_or_default().to_owned();
        Scope {
            world: self,
            service,
            operation,
            account,
            region: region.to_owned(),
            caller: caller.to_owned(),
        }
    }

    /// The caller that an access key stands for.
    pub(crate) fn caller(&self, access_key: &str, region: &str) -> String {
        let default = || {
            let (partition, account) = (partition(region), &self.settings.account);
            format!("arn:{partition}:iam::{account}:user/sim")
        };
        self.callers.get(access_key).cloned().unwrap_or_else(default)
    }

    /// Is it the account and Region that the cache stands for?
    pub(crate) fn is_home(&self, account: &str, region: &str) -> bool {
        self.settings.account == account && self.settings.region == region
    }

    /// Gives the cache the rules of the default account and Region whose upstream is simulated too, each with what its
    /// secret holds now.
    pub(crate) fn teach_cache(&mut self) {
        let Some(cache) = &self.cache else { return };
        let account = self.accounts.get(&self.settings.account);
        let Some(region) = account.and_then(|account| account.regions.get(&self.settings.region)) else {
            return;
        };
        let mut known = BTreeSet::new();
        for (prefix, rule) in region.ecr.rules() {
            let url = rule["upstreamRegistryUrl"].as_str().unwrap_or_default();
            let Some(Logins::Asked(upstream)) = self.upstreams.get(url) else { continue };
            let mut taught = Rule::new(prefix, url, upstream);
            if let Some(upstream_prefix) = rule["upstreamRepositoryPrefix"].as_str() {
                taught = taught.upstream_prefix(upstream_prefix);
            }
            let secret = rule["credentialArn"]
                .as_str()
                .and_then(|arn| region.secrets.values().find(|one| one.is(arn)));
            let text =
                secret.filter(|secret| !secret.is_deleted()).and_then(Secret::current).unwrap_or_default();
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            if let (Some(user), Some(token)) = (value["username"].as_str(), value["accessToken"].as_str()) {
                taught = taught.credential(user, token);
            }
            cache.add_rule(taught);
            known.insert(prefix.clone());
        }
        for gone in self.taught.difference(&known) {
            cache.remove_rule(gone);
        }
        self.taught = known;
    }

    /// The state as JSON; what is empty is left out.
    pub(crate) fn snapshot(&self) -> Value {
        let mut all = Map::new();
        for (id, account) in &self.accounts {
            let mut parts = Map::new();
            put(&mut parts, "iam", account.iam.snapshot());
            for (name, region) in &account.regions {
                let mut here = region.ecr.snapshot();
                let secrets = region.secrets.iter().map(|(name, secret)| (name.clone(), secret.snapshot()));
                put(&mut here, "secrets", Value::Object(secrets.collect()));
                put(&mut parts, name, Value::Object(here));
            }
            put(&mut all, id, Value::Object(parts));
        }
        Value::Object(all)
    }
}

/// Inserts what is neither null nor empty.
pub(crate) fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if !empty {
        map.insert(name.to_owned(), value);
    }
}

/// `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc` of a Region (botocore `partitions.json`).
pub(crate) fn partition(region: &str) -> &'static str {
    let known = [("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc")];
    known.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// What the registry hosts of a Region end in (botocore `partitions.json`).
pub(crate) fn dns_suffix(region: &str) -> &'static str {
    match partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// An account and Region as one call sees them.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) service: &'static Service,
    pub(crate) operation: &'a str,
    pub(crate) account: String,
    pub(crate) region: String,
    /// ARN of who asks.
    pub(crate) caller: String,
}

impl Scope<'_> {
    /// What is in the Region.
    pub(crate) fn here(&mut self) -> &mut Region {
        let account = self.world.accounts.entry(self.account.clone()).or_default();
        account.regions.entry(self.region.clone()).or_default()
    }

    /// The account's roles and policies.
    pub(crate) fn iam(&mut self) -> &mut Iam {
        &mut self.world.accounts.entry(self.account.clone()).or_default().iam
    }

    /// The ARN of a resource of the Region.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        let (partition, region, account) = (partition(&self.region), &self.region, &self.account);
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The ARN of a role, policy or provider.
    pub(crate) fn iam_arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", partition(&self.region), self.account)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// An id that was not given out before, the same in the same run of calls.
    pub(crate) fn id(&mut self, alphabet: &str, length: usize) -> String {
        self.world.ids += 1;
        // SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators").
        let mut state = self.world.ids;
        let letters: Vec<char> = alphabet.chars().collect();
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default()
        };
        (0..length).filter_map(|_| letters.get(next() % letters.len().max(1))).collect()
    }

    /// As `8-4-4-4-12` hexadecimal digits.
    pub(crate) fn uuid(&mut self) -> String {
        let mut digits = || self.id("0123456789abcdef", 4);
        let parts: Vec<String> = (0..8).map(|_| digits()).collect();
        let run =
            |range: std::ops::Range<usize>| parts.get(range).map(|parts| parts.concat()).unwrap_or_default();
        [run(0..2), run(2..3), run(3..4), run(4..5), run(5..8)].join("-")
    }

    /// A resource was created: it may stay unseen for a while.
    pub(crate) fn created(&mut self, kind: &str, id: &str) {
        if let Some(reads) = self.world.delays.get(kind) {
            self.world.hidden.insert(format!("{kind}/{}/{}/{id}", self.account, self.region), *reads);
        }
    }

    /// Is a resource seen by this read? Each read that does not see it counts.
    pub(crate) fn sees(&mut self, kind: &str, id: &str) -> bool {
        let key = format!("{kind}/{}/{}/{id}", self.account, self.region);
        match self.world.hidden.get_mut(&key) {
            Some(0) | None => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// `registryId` is this account's or unsaid. Another account's registry takes rights that nobody here has.
    pub(crate) fn own_registry(&self, input: &Value) -> Result<(), AwsError> {
        match input["registryId"].as_str() {
            Some(other) if other != self.account => {
                let resource = format!("arn:{}:ecr:{}:{other}:*", partition(&self.region), self.region);
                Err(self.denied(&resource))
            }
            _ => Ok(()),
        }
    }

    /// A member that the operation cannot do without; the model has it as required.
    pub(crate) fn required<'v>(&self, input: &'v Value, name: &str) -> Result<&'v str, AwsError> {
        input[name].as_str().ok_or_else(|| self.invalid(name, "Member must not be null"))
    }

    /// ECR's `InvalidParameterException` about a parameter.
    pub(crate) fn invalid(&self, parameter: &str, constraint: &str) -> AwsError {
        let message =
            format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'");
        error("InvalidParameterException", message)
    }

    /// Not authorized on a resource (IAM user guide, "Troubleshoot access denied error messages").
    pub(crate) fn denied(&self, resource: &str) -> AwsError {
        let action = format!("{}:{}", self.service.name, self.operation);
        error("AccessDeniedException", refusal(&self.caller, &action, resource))
    }

    /// A page of `all` under `member`: what `nextToken` and `maxResults` (default 100) ask for.
    pub(crate) fn page(&self, all: Vec<Value>, input: &Value, member: &str) -> Result<Value, AwsError> {
        let (items, next) = slice(all, &input["nextToken"], &input["maxResults"], 100)
            .ok_or_else(|| self.invalid("nextToken", "Invalid token"))?;
        let mut answer = json!({ member: items });
        set(&mut answer, "nextToken", next.into());
        Ok(answer)
    }

    /// Of a document, what the operation's answer has room for.
    pub(crate) fn fit(&self, document: &Value) -> Value {
        let output = self.service.operation(self.operation).map(|known| self.service.shape(&known["output"]));
        let members = document.as_object().into_iter().flatten();
        let known = members.filter(|(name, _)| output.is_some_and(|shape| !shape["members"][name].is_null()));
        Value::Object(known.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// What AWS says to a caller without a right.
pub(crate) fn refusal(caller: &str, action: &str, resource: &str) -> String {
    format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based \
         policy allows the {action} action"
    )
}

/// The items from a token on, and the next token; `None` for a token that was not given out.
pub(crate) fn slice(
    all: Vec<Value>,
    token: &Value,
    most: &Value,
    default: u64,
) -> Option<(Vec<Value>, Option<String>)> {
    let from: usize = match token.as_str() {
        Some(token) => token.strip_prefix("from-")?.parse().ok()?,
        None => 0,
    };
    let most = usize::try_from(most.as_u64().unwrap_or(default)).unwrap_or(usize::MAX);
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(from).take(most).collect();
    let end = from.saturating_add(items.len());
    Some((items, (end < total).then(|| format!("from-{end}"))))
}

/// Sets a member; null takes it away.
pub(crate) fn set(document: &mut Value, name: &str, value: Value) {
    if let Some(members) = document.as_object_mut() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
    }
}

/// A list of tags with more tags, those of the same key replaced. `key` and `value` are the members' names.
pub(crate) fn tagged(known: &Value, more: &Value, key: &str) -> Value {
    let more: Vec<Value> = more.as_array().cloned().unwrap_or_default();
    let known = known.as_array().into_iter().flatten();
    let kept = known.filter(|tag| more.iter().all(|new| new[key] != tag[key])).cloned();
    let mut tags: Vec<Value> = kept.chain(more.iter().cloned()).collect();
    tags.sort_by(|one, other| one[key].as_str().cmp(&other[key].as_str()));
    Value::Array(tags)
}

/// A list of tags without some keys.
pub(crate) fn untagged(known: &Value, keys: &Value, key: &str) -> Value {
    let gone = keys.as_array().map(Vec::as_slice).unwrap_or_default();
    let known = known.as_array().into_iter().flatten();
    Value::Array(known.filter(|tag| !gone.contains(&tag[key])).cloned().collect())
}
