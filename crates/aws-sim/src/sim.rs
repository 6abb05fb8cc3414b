//! [`AwsSim`]: the server, and what a test does to it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use registry_sim::serve::{Front, Handler, Listener, Server};
use registry_sim::{Cache, Upstream};
use serde_json::Value;

use crate::call::{Call, answer};
use crate::fault::Faults;
use crate::model::services;
use crate::world::{Logins, World};

/// How AWS behaves where no source settles it, and who asks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account of callers that [`AwsSim::add_caller`] does not know.
    pub account: String,
    /// The Region that [`AwsSim::here`] means; calls say their own.
    pub region: String,
    /// ValidatePullThroughCacheRule says that rules without a credential are valid. AWS documents it for
    /// authenticated upstreams only.
    pub open_upstreams_are_valid: bool,
    /// Code and message of rules in Regions that have no pull through cache; AWS does not document its answer.
    pub unsupported_region: (String, String),
    /// A rule over a secret that is marked for deletion is answered `SecretNotFoundException`; otherwise
    /// `UnableToAccessSecretException`. Not documented.
    pub deleted_secret_is_not_found: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            open_upstreams_are_valid: true,
            unsupported_region: (
                "ValidationException".to_owned(),
                "Pull through cache is not supported in this Region".to_owned(),
            ),
            deleted_secret_is_not_found: true,
        }
    }
}

/// A call as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `ecr`, `secretsmanager`, `sts` or `iam`.
    pub service: String,
    /// Such as `CreateRepository`.
    pub operation: String,
    /// The Region that it was signed for.
    pub region: String,
    /// ARN of the caller.
    pub caller: String,
    /// The body; that of a Query service as JSON too.
    pub input: Value,
    /// The code of the error that it was answered with, `None` for success.
    pub error: Option<String>,
}

impl Request {
    /// `service:Operation`.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// Does it change anything? By the operation's name.
    pub fn writes(&self) -> bool {
        let reads = ["Describe", "Get", "List", "Simulate", "BatchGet", "Validate", "AssumeRole"];
        !reads.iter().any(|prefix| self.operation.starts_with(prefix))
    }
}

/// What the server and its handle share.
#[derive(Debug, Default)]
pub(crate) struct State {
    world: Mutex<World>,
    requests: Mutex<Vec<Request>>,
    pub(crate) faults: Faults,
}

impl State {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

/// A running simulation of AWS; dropping it stops it.
#[derive(Debug)]
pub struct AwsSim {
    state: Arc<State>,
    front: Arc<Front>,
    url: String,
    _server: Server,
}

impl AwsSim {
    /// Starts it on a free port of 127.0.0.1, with nothing in any account.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let state = Arc::<State>::default();
        state.world().settings = settings;
        let listener = Listener::bind()?;
        let url = format!("http://{}", listener.host());
        let shared = Arc::clone(&state);
        let handler: Handler = Arc::new(move |request| {
            let state = Arc::clone(&shared);
            Box::pin(async move { answer(&state, request).await })
        });
        let front = Arc::<Front>::default();
        let server = Server::start("aws", &front, vec![(listener, handler)])?;
        Ok(Self { state, front, url, _server: server })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The environment that makes an AWS SDK talk to it: endpoint, fake keys, Region, and no other source of
    /// credentials or settings.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let region = self.state.world().settings.region.clone();
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            ("AWS_REGION", region),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/nonexistent".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent".to_owned()),
        ]
    }

    /// The calls so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The actions (`service:Operation`) called so far, in order.
    pub fn actions(&self) -> Vec<String> {
        self.requests().iter().map(Request::action).collect()
    }

    /// Forgets the calls so far.
    pub fn clear_requests(&self) {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// Resets every connection, until it is said not to.
    pub fn set_down(&self, down: bool) {
        self.front.set_down(down);
    }

    /// New resources of a kind are not seen by the next `reads` reads of each: eventual consistency. Kinds: `rule`,
    /// `template`, `repository`, `secret`, `role`, `policy`, `key`, `alias`.
    pub fn delay(&self, kind: &str, reads: u32) {
        self.state.world().delays.insert(kind.to_owned(), reads);
    }

    /// An access key of somebody else, such as `arn:aws:iam::210987654321:role/other`.
    pub fn add_caller(&self, access_key: &str, arn: &str) {
        self.state.world().callers.insert(access_key.to_owned(), arn.to_owned());
    }

    /// Who may log in at an upstream (`ghcr.io`), for ValidatePullThroughCacheRule. An upstream of which nothing is
    /// said takes any user and token.
    pub fn set_logins(&self, upstream: &str, logins: &[(&str, &str)]) {
        let known = logins.iter().map(|(user, token)| ((*user).to_owned(), (*token).to_owned())).collect();
        self.state.world().upstreams.insert(upstream.to_owned(), Logins::Known(known));
    }

    /// The same, with the credentials of a simulated registry.
    pub fn set_upstream(&self, upstream: &str, registry: Arc<Upstream>) {
        self.state.world().upstreams.insert(upstream.to_owned(), Logins::Asked(registry));
    }

    /// Images and tokens come from this cache, which is the registry of the default account and Region.
    pub fn set_cache(&self, cache: Arc<Cache>) {
        self.state.world().cache = Some(cache);
    }

    /// Somebody else calls an operation in the default account and Region, past faults and log: a secret, rule or
    /// role "made by hand". `action` is `service:Operation`.
    ///
    /// # Errors
    /// `Code: message`, as AWS would refuse the same call.
    pub fn call(&self, action: &str, input: Value) -> Result<Value, String> {
        let region = self.state.world().settings.region.clone();
        self.call_in(&region, action, input)
    }

    /// [`AwsSim::call`] in another Region.
    ///
    /// # Errors
    /// `Code: message`, as AWS would refuse the same call.
    pub fn call_in(&self, region: &str, action: &str, input: Value) -> Result<Value, String> {
        let mut world = self.state.world();
        let caller = world.caller("", region).replace("user/sim", "user/somebody-else");
        self.act(&mut world, region, &caller, action, input)
    }

    /// [`AwsSim::call`] as another caller, whose account it then happens in.
    ///
    /// # Errors
    /// `Code: message`, as AWS would refuse the same call.
    pub fn call_as(&self, caller: &str, region: &str, action: &str, input: Value) -> Result<Value, String> {
        self.act(&mut self.state.world(), region, caller, action, input)
    }

    fn act(
        &self,
        world: &mut World,
        region: &str,
        caller: &str,
        action: &str,
        input: Value,
    ) -> Result<Value, String> {
        let (service, operation) = action.split_once(':').ok_or_else(|| format!("no action: {action}"))?;
        let service = services().iter().find(|known| known.name == service);
        let service = service.ok_or_else(|| format!("no service: {action}"))?;
        let call = Call {
            service,
            operation: operation.to_owned(),
            region: region.to_owned(),
            caller: caller.to_owned(),
            input,
        };
        call.run(world).map_err(|error| format!("{}: {}", error.code, error.message))
    }

    /// An image in a repository of the default account and Region, as DescribeImages shows it: at least
    /// `imageDigest`, and `imageTags`, `imageSizeInBytes`, `imagePushedAt`, … as wanted. `imageManifest` is what
    /// BatchGetImage answers.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn add_image(&self, repository: &str, image: Value) -> Result<(), String> {
        let mut world = self.state.world();
        let Settings { account, region, .. } = world.settings.clone();
        let region = world.accounts.entry(account.clone()).or_default().regions.entry(region).or_default();
        region
            .ecr
            .add_image(&account, repository, image)
            .ok_or_else(|| format!("no repository: {repository}"))
    }

    /// Changes members of a rule of the default account and Region past all checks: what ECR would refuse today may be
    /// there from before, such as a `credentialArn` whose secret is gone.
    ///
    /// # Errors
    /// When there is no such rule.
    pub fn alter_rule(&self, prefix: &str, changes: Value) -> Result<(), String> {
        let mut world = self.state.world();
        let Settings { account, region, .. } = world.settings.clone();
        let region = world.accounts.entry(account).or_default().regions.entry(region).or_default();
        region.ecr.alter_rule(prefix, &changes).ok_or_else(|| format!("no rule: {prefix}"))
    }

    /// Gives the user of that name (`sim` is the default caller) an identity policy, for SimulatePrincipalPolicy alone:
    /// calls are refused by [`AwsSim::faults`]. A user without any may do everything.
    pub fn add_user_policy(&self, user: &str, document: Value) {
        let mut world = self.state.world();
        let account = world.settings.account.clone();
        world.accounts.entry(account).or_default().iam.add_user_policy(user, document);
    }

    /// The text that a secret holds now, `None` without such a secret or value.
    pub fn secret_string(&self, name: &str) -> Option<String> {
        let world = self.state.world();
        let account = world.accounts.get(&world.settings.account)?;
        account.regions.get(&world.settings.region)?.secrets.get(name)?.current()
    }

    /// All that exists, by account and Region; what is empty is left out, so that a fresh simulation is `{}`. Values
    /// of secrets are in it.
    pub fn snapshot(&self) -> Value {
        self.state.world().snapshot()
    }

    /// What exists in the default account and Region.
    pub fn here(&self) -> Value {
        let world = self.state.world();
        world.snapshot()[&world.settings.account][&world.settings.region].clone()
    }
}
