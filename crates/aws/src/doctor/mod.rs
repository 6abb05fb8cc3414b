//! Why does a pull through the cache fail? Asked of an account, and of one image, step by step.
//!
//! [`diagnose`] reads the account side by side, then each file asks its own part: what stands in the account (`account`),
//! the rules of the prefixes in use (`rule`) with their secrets (`secret`) and templates (`template`), who may pull
//! (`permissions`, with `policy` for documents), the image's repository (`repository`), the way to it (`vpc`), and the
//! image itself (`image`). Every [`Step`] stands for itself: a read that is denied costs that step, and is said with the
//! permission that was lacking. Nothing is changed, and nothing imported unless [`Question::allow_import`] says so.

mod account;
mod image;
mod permissions;
mod policy;
mod repository;
mod rule;
mod secret;
mod step;
mod template;
mod vpc;

pub use step::{About, Outcome, Step, StepId};

use std::collections::BTreeMap;

use crate::account::{AwsFailure, Session};
use crate::resource::Rule;
use account::Account;
use pullthru_core::images::Image;
use pullthru_core::route::{Prefix, Route, UpstreamPrefix};
use pullthru_registry::{Client, Credentials, Settings};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The routes that are looked at: the image's, or all that the repository uses.
    pub lines: Vec<Line>,
    pub image: Option<Image>,
    /// How many other tags of the image's repository are in use.
    pub in_use: usize,
    /// Name or ARN of the role that pulls.
    pub node_role: Option<String>,
    /// The VPC that pulls.
    pub vpc: Option<String>,
    /// Names of credentials by the name of their secret, where the configuration gives that.
    pub credentials: BTreeMap<String, String>,
    /// Pull the image by tag, which imports it.
    pub allow_import: bool,
    /// How registries are reached.
    pub registries: Settings,
}

/// One route, with an image to try it with.
#[derive(Clone, Debug)]
pub struct Line {
    /// `None` where an image of the cache was named and no route is configured: the account's rules say it.
    pub route: Option<Route>,
    /// The image itself, or one of those in use.
    pub sample: Option<Image>,
}

/// All answers.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// In the order of [`StepId`], by route within.
    pub steps: Vec<Step>,
}

impl Diagnosis {
    /// The first step that failed, in the order in which a pull meets what they are about.
    pub fn reason(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.is_failed())
    }
}

/// What the steps share.
#[derive(Clone, Copy)]
struct Doctor<'a> {
    session: &'a Session,
    question: &'a Question,
    account: &'a Account,
}

/// A route with its rule: what the steps of a line are about.
struct Ruled<'a> {
    /// The repositories' prefix, `ROOT` for none.
    prefix: String,
    /// Host of the upstream as references have it.
    upstream: String,
    /// `None` where rules could not be seen.
    rule: Option<&'a Rule>,
    sample: Option<Image>,
}

/// Days since 1970.
fn today() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs() / 86_400).unwrap_or(0)
}

/// Asks everything.
///
/// # Errors
/// None of a step: they are in the answers. Settings with which no registry can be asked.
pub async fn diagnose(
    session: &Session,
    question: &Question,
) -> Result<Diagnosis, pullthru_registry::SetupError> {
    let mut steps = account::caller(session);
    if steps.iter().any(|step| step.id == StepId::Region && step.is_failed()) {
        // There is nothing to look at.
        return Ok(sorted(steps));
    }
    let everywhere = registry_client(session, question, None)?;
    if !session.is_at_home() {
        steps.extend(elsewhere(session, question));
        steps.extend(image::steps(&everywhere, question, None, false).await);
        return Ok(sorted(steps));
    }
    let account = Account::read(session).await;
    let doctor = Doctor { session, question, account: &account };
    steps.extend(doctor.registry_wide());
    let mut image_client = everywhere;
    let mut image = question.image.clone();
    for line in &question.lines {
        let (found, ruled) = doctor.rule(line);
        steps.extend(found);
        let Some(ruled) = ruled else { continue };
        if let (Some(image), Some(sample)) = (&mut image, &ruled.sample) {
            *image = sample.clone();
        }
        let secret::Found { steps: found, login, renew } = doctor.secret(&ruled).await;
        steps.extend(found);
        let has_login = login.is_some();
        let token = login.as_ref().map(|(_, token)| token.clone());
        let client = registry_client(session, question, login.map(|login| (ruled.upstream.as_str(), login)))?;
        if let Some(token) = token {
            steps.extend(secret::token(&ruled, &token, &client, &renew, today()).await);
        }
        steps.extend(doctor.upstream_login(&ruled, has_login.then_some(&client), &renew).await);
        steps.extend(doctor.upstream_role(&ruled).await);
        steps.extend(doctor.validation(&ruled, &renew).await);
        steps.extend(doctor.template(&ruled).await);
        if question.image.is_some() {
            image_client = client;
        }
    }
    steps.extend(doctor.permissions().await);
    steps.extend(doctor.repository(image.as_ref()).await);
    steps.extend(doctor.vpc());
    let question = Question { image, ..question.clone() };
    let role = question.node_role.is_some();
    steps.extend(image::steps(&image_client, &question, Some(&account), role).await);
    Ok(sorted(steps))
}

/// In the order of their ids; of one id, as they were asked.
fn sorted(mut steps: Vec<Step>) -> Diagnosis {
    steps.sort_by_key(|step| step.id);
    Diagnosis { steps }
}

/// With credentials of another account nothing of the registry's can be read.
fn elsewhere(session: &Session, question: &Question) -> Vec<Step> {
    let why = format!("the credentials are of account {}", session.caller.account);
    let mut ids =
        vec![StepId::Rule, StepId::Secret, StepId::Validation, StepId::Template, StepId::RegistryPolicy];
    if question.node_role.is_some() {
        ids.push(StepId::NodePermissions);
    }
    if question.vpc.is_some() {
        ids.push(StepId::VpcEndpoints);
    }
    ids.into_iter().map(|id| id.not_checked(why.clone())).collect()
}

/// A client that asks an upstream as ECR does, with the login of the rule's secret, and AWS with the session's credentials.
fn registry_client(
    session: &Session,
    question: &Question,
    login: Option<(&str, (String, pullthru_registry::Secret))>,
) -> Result<Client, pullthru_registry::SetupError> {
    let ecr = std::sync::Arc::new(crate::Ecr::with(session.config.clone()));
    let mut credentials = Credentials::of_process().with_ecr(ecr);
    if let Some((host, (user, token))) = &login {
        let source = "the rule's secret";
        credentials = credentials.with_login_of(host, user, token.reveal(), source);
    }
    Client::new(question.registries.clone(), credentials)
}

impl Line {
    /// Where it leads, when that is configured: prefix, host, upstream prefix.
    fn wanted(&self) -> Option<(&Prefix, &str, &UpstreamPrefix)> {
        self.route.as_ref().map(|route| (&route.prefix, route.host.as_str(), &route.upstream_prefix))
    }
}

/// A read that was refused, as a step; or what was read.
fn seen<T>(id: StepId, read: &Result<T, AwsFailure>) -> Result<&T, Box<Step>> {
    read.as_ref().map_err(|failure| Box::new(id.unseen(failure)))
}
