//! The rule of a prefix: is it there, does it lead where it should, and what does ECR say when it tries it?

use super::account::list;
use super::{Doctor, Line, Ruled, Step, StepId, seen};
use crate::account::rule;
use crate::resource::Rule;
use pullthru_core::image::{Name, REPOSITORY_MAX, fold_host};
use pullthru_core::images::Image;
use pullthru_core::route::{Credential, EcrHost, Prefix, api_url, upstream_for};

impl<'a> Doctor<'a> {
    /// The rule of a line, with the steps that say so.
    pub(super) fn rule(&self, line: &Line) -> (Vec<Step>, Option<Ruled<'a>>) {
        let id = StepId::Rule;
        let rules = match seen(id, &self.account.rules) {
            Ok(rules) => rules,
            Err(step) => {
                // What else is known by the prefix alone is looked at all the same.
                let ruled = line.wanted().map(|(prefix, host, _)| Ruled {
                    prefix: prefix.to_string(),
                    upstream: host.to_owned(),
                    rule: None,
                    sample: line.sample.clone(),
                });
                let about = ruled.as_ref().map(|ruled| ruled.prefix.clone()).unwrap_or_default();
                return (vec![step.about(&about)], ruled);
            }
        };
        let Some((prefix, host, upstream_prefix)) = line.wanted() else {
            return by_name(rules.values(), line.sample.as_ref());
        };
        let name = prefix.to_string();
        let url = api_url(host).unwrap_or_else(|| host.to_owned());
        let create = create_command(&name, &url, &upstream_prefix.to_string(), host);
        let Some(rule) = rules.get(&name) else {
            let same: Vec<String> = rules
                .values()
                .filter(|rule| {
                    rule.upstream_url == url && rule.upstream_prefix == upstream_prefix.to_string()
                })
                .map(|rule| rule.prefix.clone())
                .collect();
            let mut step = match same.as_slice() {
                [] => {
                    id.failed(format!("no rule has the prefix `{name}`: a pull below it finds no repository"))
                }
                other => id
                    .failed(format!(
                        "no rule has the prefix `{name}`; {host} is cached below {}",
                        list(other)
                    ))
                    .help(format!(
                        "write that prefix in pullthru.yaml: `upstreams: {{ {host}: {} }}`",
                        other.join(", ")
                    )),
            };
            step = step.help(create);
            return (vec![step.about(&name)], None);
        };
        let mut wrong = Vec::new();
        if rule.upstream_url != url {
            wrong.push(format!("leads to {}, and not to {url}", rule.upstream_url));
        }
        if rule.upstream_prefix != upstream_prefix.to_string() {
            wrong.push(format!(
                "has the upstream prefix `{}`, and not `{upstream_prefix}`",
                rule.upstream_prefix
            ));
        }
        let mut steps = Vec::new();
        if wrong.is_empty() {
            steps.push(id.passed(format!("{} → {}", name, leads_to(rule))).about(&name));
        } else {
            let step = id.failed(format!("the rule `{name}` {}", wrong.join(" and ")));
            let delete = format!("aws ecr delete-pull-through-cache-rule --ecr-repository-prefix {name}");
            let step = step
                .help("fix `upstreams:` in pullthru.yaml, if the rule is right")
                .help(format!("else make the rule anew (ECR cannot change this): `{delete}`, then {create}"));
            steps.push(step.about(&name));
        }
        let sample = line.sample.clone();
        if self.question.image.is_some() {
            steps.extend(sample.as_ref().map(path));
        }
        let ruled = Ruled { prefix: name, upstream: host.to_owned(), rule: Some(rule), sample };
        (steps, Some(ruled))
    }

    /// What ECR says when it tries the rule.
    pub(super) async fn validation(&self, ruled: &Ruled<'_>, renew: &str) -> Vec<Step> {
        let id = StepId::Validation;
        let step = match rule::validate(self.session, &ruled.prefix).await {
            Ok(None) => id.passed("ECR says that the rule is valid"),
            Ok(Some(said)) => {
                let step = match upstream_for(&ruled.upstream).map(|upstream| upstream.credential) {
                    // Documented for upstreams with a login; what it means for others is not (API reference).
                    Some(Credential::None) => id.warning(format!("ECR says: {said}")),
                    _ => id.failed(format!("ECR says: {said}")),
                };
                step.help(explained(&said, renew))
            }
            Err(failure) => id.unseen(&failure),
        };
        vec![step.about(&ruled.prefix)]
    }
}

/// The rule below which an image of the cache lies, where no configuration says it.
fn by_name<'a>(
    rules: impl Iterator<Item = &'a Rule>,
    image: Option<&Image>,
) -> (Vec<Step>, Option<Ruled<'a>>) {
    let id = StepId::Rule;
    let Some((image, cached)) = image.and_then(|image| Some((image, image.cached.as_ref()?))) else {
        return (Vec::new(), None);
    };
    let covering = |rule: &'a Rule| {
        let prefix: Prefix = rule.prefix.parse().ok()?;
        let rest = prefix.strip(&cached.path)?;
        let path = match rule.upstream_prefix.as_str() {
            "ROOT" => rest.to_owned(),
            upstream => format!("{upstream}/{rest}"),
        };
        Some((rule, path))
    };
    let mut found: Vec<(&Rule, String)> = rules.filter_map(covering).collect();
    // ROOT covers everything, and is no longer than any other.
    found.sort_by_key(|(rule, _)| if rule.prefix == "ROOT" { 0 } else { rule.prefix.len() });
    let Some((rule, path)) = found.pop() else {
        let step = id.failed(format!("no rule has a prefix that `{}` is below", cached.path));
        let step = step.help("fix the name, or make the rule: `pullthru provision apply`");
        return (vec![step], None);
    };
    let host = fold_host(&rule.upstream_url);
    let sample = Image { upstream: Some(Name::of(Some(&host), &path)), ..image.clone() };
    let steps = vec![
        id.passed(format!("{} → {}", rule.prefix, leads_to(rule))).about(&rule.prefix),
        self::path(&sample),
    ];
    (
        steps,
        Some(Ruled { prefix: rule.prefix.clone(), upstream: host, rule: Some(rule), sample: Some(sample) }),
    )
}

fn leads_to(rule: &Rule) -> String {
    match rule.upstream_prefix.as_str() {
        "ROOT" => rule.upstream_url.clone(),
        prefix => format!("{}/{prefix}", rule.upstream_url),
    }
}

/// Is the image's name one that leads to what is meant?
fn path(image: &Image) -> Step {
    let id = StepId::Path;
    if let Some((why, next)) = pullthru_registry::verify::library(image) {
        return id.failed(why).help(next);
    }
    let Some(cached) = &image.cached else { return id.passed(image.reference()) };
    if cached.path.len() > REPOSITORY_MAX {
        let length = cached.path.len();
        return id
            .failed(format!("the repository's name has {length} characters, and ECR takes {REPOSITORY_MAX}"))
            .help("take a shorter prefix, or one for a part of the upstream (`upstream-prefix`)");
    }
    if cached.host.parse::<EcrHost>().is_ok_and(|host| host.fips) {
        return id
            .warning("a first pull through a FIPS host of ECR fails, and later ones work")
            .help("warm the image by the plain host: `pullthru warm`");
    }
    match &image.upstream {
        Some(upstream) => id.passed(format!("{} stands for {upstream}", cached.path)),
        None => id.passed(cached.path.clone()),
    }
}

fn create_command(prefix: &str, url: &str, upstream_prefix: &str, host: &str) -> String {
    let below = match upstream_prefix {
        "ROOT" => String::new(),
        other => format!(" --upstream-repository-prefix {other}"),
    };
    let secret = match upstream_for(host).map(|upstream| upstream.credential) {
        Some(Credential::Secret) => " --credential-arn …",
        Some(Credential::Role) => " --custom-role-arn …",
        _ => "",
    };
    format!(
        "`pullthru provision apply`, or `aws ecr create-pull-through-cache-rule --ecr-repository-prefix {prefix} \
         --upstream-registry-url {url}{below}{secret}`"
    )
}

/// What to do about a failure that ECR describes in words of its own (there is no list of them).
fn explained(said: &str, renew: &str) -> String {
    let said = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["decrypt", "kms"]) {
        "encrypt the secret with the key `aws/secretsmanager`: ECR can decrypt with no other".to_owned()
    } else if has(&["not found", "does not exist", "find the secret", "can't find"]) {
        "make the secret in the rule's account and Region, or name another: `aws ecr update-pull-through-cache-rule`"
            .to_owned()
    } else if has(&["access to the secret"]) {
        "take the denial out of the secret's own policy: `aws secretsmanager get-resource-policy`".to_owned()
    } else if has(&["json", "format", "key", "parse"]) {
        format!("put `username` and `accessToken` into the secret: {renew}")
    } else if has(&["auth", "credential", "denied", "unauthorized", "login"]) {
        format!("renew the token in the secret: {renew}")
    } else {
        "look at the steps of the secret above, then at the rule's upstream".to_owned()
    }
}
