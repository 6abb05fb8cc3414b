//! The rule's login: where it is kept, what is in it, and whether the upstream takes it.

use aws_sdk_ecr::primitives::{DateTime, DateTimeFormat};

use super::{Doctor, Ruled, Step, StepId};
use crate::account::{FoundSecret, Problem, secret};
use crate::resource::{Ref, stack_of};
use pullthru_core::config::{Arn, SECRET_PREFIX};
use pullthru_core::route::{Credential, upstream_for};
use pullthru_registry::{Client, Failure, Location, Note, Secret};

/// The secret of a rule.
pub(super) struct Found {
    pub(super) steps: Vec<Step>,
    /// The login in it, where it can be used.
    pub(super) login: Option<(String, Secret)>,
    /// The command that puts another token into it.
    pub(super) renew: String,
}

impl Doctor<'_> {
    /// The steps of the rule's secret.
    pub(super) async fn secret(&self, ruled: &Ruled<'_>) -> Found {
        let without = |steps: Vec<Step>| Found { steps, login: None, renew: String::new() };
        let needs = upstream_for(&ruled.upstream).map(|upstream| upstream.credential);
        let Some(rule) = ruled.rule else {
            let step = StepId::Secret.not_checked("which one it is, the rule says, and that was not seen");
            return without(vec![step.about(&ruled.prefix)]);
        };
        let arn = match &rule.credential {
            Some(Ref::Given(arn)) => arn,
            _ if needs == Some(Credential::Secret) => {
                let step = StepId::Secret
                    .failed(format!("the rule names no secret, and {} wants a login, also for what is public", ruled.upstream))
                    .help(format!(
                        "`pullthru provision apply`, or make the secret and `aws ecr update-pull-through-cache-rule \
                         --ecr-repository-prefix {} --credential-arn …`",
                        ruled.prefix
                    ));
                return without(vec![step.about(&ruled.prefix)]);
            }
            _ => return without(Vec::new()),
        };
        let mut steps = Vec::new();
        let mut login = None;
        let mut renew = self.renew(arn, None);
        if let Some(step) = self.misplaced(arn) {
            steps.push(step);
        } else {
            match secret::read(self.session, &arn.to_string(), &ruled.upstream).await {
                Err(failure) => steps.push(StepId::Secret.unseen(&failure)),
                Ok(None) => steps.push(
                    StepId::Secret
                        .failed(format!("the secret `{}` is not there", name(arn)))
                        .help("make it, and let the rule name it: `pullthru provision apply`"),
                ),
                Ok(Some(found)) => {
                    let usable;
                    renew = self.renew(arn, stack_of(&found.tags));
                    (usable, steps) = found_steps(&found, &ruled.upstream, &renew);
                    if usable {
                        login = secret::login(self.session, &arn.to_string()).await.ok().flatten();
                    }
                }
            }
        }
        let steps = steps.into_iter().map(|step| step.about(&ruled.prefix)).collect();
        Found { steps, login, renew }
    }

    /// `--rotate` writes secrets of its own stack only.
    fn renew(&self, arn: &Arn, stack: Option<&str>) -> String {
        let (name, region) = (name(arn), &self.session.registry.region);
        match stack {
            Some(stack) => {
                let short = || name.strip_prefix(SECRET_PREFIX).unwrap_or(name);
                let credential = self.question.credentials.get(name).map_or_else(short, String::as_str);
                format!("`pullthru provision apply --rotate {credential}`, where the stack is `{stack}`")
            }
            None => format!(
                "`aws secretsmanager put-secret-value --region {region} --secret-id {name} --secret-string \
                 file://login.json`, with `{{\"username\": …, \"accessToken\": …}}` in login.json"
            ),
        }
    }

    /// A secret that ECR does not look at, wherever its contents.
    fn misplaced(&self, arn: &Arn) -> Option<Step> {
        let registry = &self.session.registry;
        if !arn.lies_in(&registry.account, &registry.region) {
            return Some(
                StepId::Secret
                    .failed(format!(
                        "the secret `{}` is in account {} and Region {}; ECR reads secrets of account {} and Region {} for \
                         this rule",
                        name(arn),
                        arn.account,
                        arn.region,
                        registry.account,
                        registry.region
                    ))
                    .help("make one in the rule's own account and Region: `pullthru provision apply`; a replica of Secrets \
                           Manager keeps its name and will do"),
            );
        }
        (!name(arn).starts_with(SECRET_PREFIX)).then(|| {
            StepId::Secret
                .failed(format!("the secret is called `{}`, and ECR may read names with `{SECRET_PREFIX}` only", name(arn)))
                .help("secrets cannot be renamed: make another, and let the rule name it: `pullthru provision apply`")
        })
    }

    /// Does the upstream itself take the login? `client` has it, where there is one to try.
    pub(super) async fn upstream_login(
        &self,
        ruled: &Ruled<'_>,
        client: Option<&Client>,
        renew: &str,
    ) -> Vec<Step> {
        let id = StepId::UpstreamLogin;
        if !ruled.rule.is_some_and(|rule| matches!(rule.credential, Some(Ref::Given(_)))) {
            return Vec::new();
        }
        let step = match (client, self.location(ruled)) {
            (None, _) => id.not_checked("there is no login that could be tried: see the steps of the secret"),
            (Some(_), None) => id
                .not_checked(format!("no image of {} is in use here to ask for", ruled.upstream))
                .help("name one: `pullthru doctor IMAGE`"),
            (Some(client), Some(at)) => judged(id, &at, client, renew).await,
        };
        vec![step.about(&ruled.prefix)]
    }

    /// An image to ask the upstream for.
    fn location(&self, ruled: &Ruled<'_>) -> Option<Location> {
        let sample = ruled.sample.as_ref()?;
        Location::parse(&sample.under(sample.upstream.as_ref()?)).ok()
    }
}

fn name(arn: &Arn) -> &str {
    arn.secret_name().unwrap_or(&arn.resource)
}

/// What a secret that is there says for itself; whether its login can be tried.
fn found_steps(found: &FoundSecret, upstream: &str, renew: &str) -> (bool, Vec<Step>) {
    let name = name(&found.arn);
    if found.pending_deletion {
        let step =
            StepId::Secret.failed(format!("the secret `{name}` is deleted, and can be restored still"));
        return (false, vec![step.help(format!("`aws secretsmanager restore-secret --secret-id {name}`"))]);
    }
    let mut steps = vec![StepId::Secret.passed(name.to_owned())];
    steps.push(match &found.key {
        None => StepId::SecretKey.passed("`aws/secretsmanager`"),
        Some(key) => StepId::SecretKey.failed(Problem::Key(key.clone()).to_string()).help(format!(
            "`aws secretsmanager update-secret --secret-id {name} --kms-key-id alias/aws/secretsmanager`"
        )),
    });
    let contents = match &found.contents {
        Err(failure) => {
            steps.push(StepId::SecretValue.unseen(failure));
            return (false, steps);
        }
        Ok(None) => {
            steps.push(StepId::SecretValue.failed(Problem::NoValue.to_string()).help(renew));
            return (false, steps);
        }
        Ok(Some(contents)) => contents,
    };
    let (kinds, shapes): (Vec<&Problem>, Vec<&Problem>) =
        contents.problems.iter().partition(|problem| matches!(problem, Problem::Kind(_)));
    if !shapes.is_empty() {
        let texts: Vec<String> = shapes.iter().map(ToString::to_string).collect();
        steps.push(StepId::SecretValue.failed(texts.join("; ")).help(renew));
        return (false, steps);
    }
    // Not even the user's name is printed: some write the token there too.
    steps.push(StepId::SecretValue.passed("`username` and `accessToken`"));
    steps.push(match kinds.first() {
        Some(problem) => StepId::TokenKind
            .failed(problem.to_string())
            .help("make a classic personal access token with `read:packages` (GitHub: Settings, Developer settings)")
            .help(renew),
        None => StepId::TokenKind.passed(format!("nothing about it that {upstream} would not take")),
    });
    (kinds.is_empty(), steps)
}

/// Scopes and end of a token, where there is somebody to ask. `today` is days since 1970.
pub(super) async fn token(
    ruled: &Ruled<'_>,
    token: &Secret,
    client: &Client,
    renew: &str,
    today: i64,
) -> Vec<Step> {
    let (scopes, end) = (StepId::TokenScopes, StepId::TokenEnd);
    let renew = format!("renew the token: {renew}");
    let steps = match client.grant(&ruled.upstream, token).await {
        None => Vec::new(),
        Some(Err(Failure::Unauthorized(_))) => {
            vec![
                scopes
                    .failed(format!(
                        "{} does not know the token: it is wrong, revoked or over",
                        ruled.upstream
                    ))
                    .help(renew),
            ]
        }
        Some(Err(failure)) => vec![scopes.not_checked(failure.to_string())],
        Some(Ok(grant)) => {
            let texts = if grant.scopes.is_empty() { "none".to_owned() } else { grant.scopes.join(", ") };
            let step = match may_read(&ruled.upstream, &grant.scopes) {
                Reads::All => scopes.passed(texts),
                Reads::Public => {
                    scopes.warning(format!("{texts}: it reads what is public, if anything")).help(&renew)
                }
                Reads::Nothing => scopes.failed(format!("{texts}: it reads no image")).help(&renew),
            };
            vec![step, ends(end, grant.ends.as_deref(), today, &renew)]
        }
    };
    steps.into_iter().map(|step| step.about(&ruled.prefix)).collect()
}

/// What scopes let a token read.
enum Reads {
    All,
    Public,
    Nothing,
}

/// GitHub's packages are downloaded with `read:packages`, which `write:packages` is taken to include; what a token without
/// either reads is not documented, public packages at most. GitLab's registry takes `read_registry` or `api`.
fn may_read(upstream: &str, scopes: &[String]) -> Reads {
    let has = |wanted: &[&str]| scopes.iter().any(|scope| wanted.contains(&scope.as_str()));
    match upstream {
        "ghcr.io" if has(&["read:packages", "write:packages"]) => Reads::All,
        "ghcr.io" => Reads::Public,
        _ if has(&["read_registry", "write_registry", "api"]) => Reads::All,
        _ => Reads::Nothing,
    }
}

/// Days before its end in which a token is warned about: time to make another.
const SOON: i64 = 14;

fn ends(id: StepId, end: Option<&str>, today: i64, renew: &str) -> Step {
    let Some(text) = end else { return id.passed("no end date is known") };
    match days(text).map(|day| day - today) {
        None => id.not_checked(format!("`{text}` is no date")),
        Some(left) if left < 0 => id.failed(format!("it ended on {text}")).help(renew),
        Some(left) if left <= SOON => id
            .warning(format!(
                "it ends on {text}, in {left} days; ECR goes on with what is cached, and imports nothing more"
            ))
            .help(renew),
        Some(_) => id.passed(text.to_owned()),
    }
}

/// Days since 1970 of a date such as `2026-12-31`.
fn days(text: &str) -> Option<i64> {
    let midnight = DateTime::from_str(&format!("{text}T00:00:00Z"), DateTimeFormat::DateTime).ok()?;
    Some(midnight.secs().div_euclid(86_400))
}

/// Asks for one manifest. The client goes on without a login that is refused, and notes it.
async fn judged(id: StepId, at: &Location, client: &Client, renew: &str) -> Step {
    let (registry, repository) = (at.registry(), at.repository());
    let renew = format!("renew the token: {renew}");
    let answer = client.digest(at).await;
    let refused = client.notes().into_iter().find_map(|note| match note {
        Note::StaleLogin { registry: of, answer, .. } if of == registry => Some(answer),
        _ => None,
    });
    if let Some(answer) = refused {
        return id.failed(format!("{registry} refuses the secret's user and token ({answer})")).help(renew);
    }
    match answer {
        Ok(_) => id.passed(format!(
            "{registry} takes user and token, and lets them read `{repository}`"
        )),
        Err(Failure::NotFound(_)) => id.passed(format!("{registry} takes user and token")),
        Err(failure @ (Failure::Unauthorized(_) | Failure::Denied(_))) => id
            .failed(format!("{registry} does not let the secret's user read `{repository}`: {failure}"))
            .help(renew)
            .help("or fix the name: what is private and what does not exist can look the same")
            .help(match registry {
                "ghcr.io" => "a classic token needs `read:packages`, and to be authorized for organisations with single sign-on",
                "registry.gitlab.com" => "the token needs `read_registry`",
                _ => "give the user or token the right to read that repository",
            }),
        Err(failure) => id.not_checked(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_1970() {
        for (text, day) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-11-21", 20_778),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(days(text), Some(day), "{text}");
        }
        for text in ["", "2026", "2026-13-01", "2026-00-10", "a-b-c", "99999-01-01", "2026-11-21T00:00"] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_near_its_end_is_warned_about() {
        let outcome = |end| ends(StepId::TokenEnd, end, 20_778, "renew").outcome;
        assert_eq!(outcome(None), super::super::Outcome::Passed);
        assert_eq!(outcome(Some("2026-11-20")), super::super::Outcome::Failed);
        assert_eq!(outcome(Some("2026-12-05")), super::super::Outcome::Warning);
        assert_eq!(outcome(Some("2026-12-06")), super::super::Outcome::Passed);
    }
}
