//! One call: recognized by the HTTP request, checked against the model, carried out, answered in the service's protocol.

use registry_sim::serve::{Delivery, Octets, Reply};
use serde_json::{Value, json};

use crate::error::{AwsError, error};
use crate::fault::Fault;
use crate::form::{self, Form};
use crate::model::{Complaint, Protocol, Service, services};
use crate::sim::{Request, State};
use crate::world::{World, partition, refusal};
use crate::{ecr, iam, secrets, sts, xml};

/// The request id of every answer.
const ID: &str = "00000000-0000-4000-8000-aaaaaaaaaaaa";

/// The code of what is no error of AWS.
const SIMULATION_FAULT: &str = "SimulationFault";

/// An operation, who calls it where, and with what.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: &'static Service,
    pub(crate) operation: String,
    pub(crate) region: String,
    pub(crate) caller: String,
    pub(crate) input: Value,
}

/// Any request.
pub(crate) async fn answer(state: &State, request: registry_sim::Request) -> Reply {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let Some(signed) = Signed::by(&request) else {
        return lost(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
    };
    let call = match Call::read(state, &request, &body, &signed) {
        Ok(call) => call,
        Err(reply) => return *reply,
    };
    let action = format!("{}:{}", call.service.name, call.operation);
    let (latency, fault) = state.faults.take(&action, &body);
    // Not slept on the server's only thread: other connections go on.
    let mut reply = call.answer(state, &request, fault.as_ref()).await;
    wait(latency).await;
    if let Some(Fault::Reset | Fault::ResetAfter) = fault {
        reply.delivery = Delivery::Reset;
    }
    reply
}

async fn wait(latency: std::time::Duration) {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}

/// What a signature says (AWS General Reference, "Signature Version 4"). It is not checked.
struct Signed {
    access_key: String,
    region: String,
    service: String,
}

impl Signed {
    fn by(request: &registry_sim::Request) -> Option<Self> {
        let header = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
        let scope = header.split_once("Credential=")?.1.split(',').next()?;
        let mut parts = scope.split('/');
        let access_key = parts.next()?.to_owned();
        let (_date, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { access_key, region: region.to_owned(), service: service.to_owned() })
    }
}

impl Call {
    fn read(
        state: &State,
        request: &registry_sim::Request,
        body: &str,
        signed: &Signed,
    ) -> Result<Self, Box<Reply>> {
        let caller = state.world().caller(&signed.access_key, &signed.region);
        let unknown = |code: &str| Box::new(lost(400, code, "unknown service or operation"));
        let (service, operation, input) = match request.header("x-amz-target") {
            Some(target) => {
                let (prefix, operation) = target.split_once('.').unwrap_or_default();
                let service = services().iter().find(|known| known.target_prefix() == Some(prefix));
                let service = service.ok_or_else(|| unknown("UnknownOperationException"))?;
                let input: Value = serde_json::from_str(body)
                    .map_err(|_| Box::new(lost(400, "SerializationException", "the body is not JSON")))?;
                (service, operation.to_owned(), input)
            }
            None => {
                let form: Form = form::read(body);
                let operation = form.get("Action").cloned().unwrap_or_default();
                let service = services().iter().find(|known| known.name == signed.service);
                let service = service.ok_or_else(|| unknown("InvalidAction"))?;
                let input = form::input(service, &operation, &form);
                (service, operation, input)
            }
        };
        Ok(Self { service, operation, region: signed.region.clone(), caller, input })
    }

    /// The reply, recorded.
    async fn answer(&self, state: &State, request: &registry_sim::Request, fault: Option<&Fault>) -> Reply {
        if let Some(error) = fault.and_then(|fault| self.fail(fault)) {
            return self.finish(state, self.held_to_the_model(Err(error)));
        }
        if let Some((reply, error)) = self.forward(state, request).await {
            self.record(state, error);
            return reply;
        }
        let result = self.run(&mut state.world());
        self.finish(state, result)
    }

    fn finish(&self, state: &State, result: Result<Value, AwsError>) -> Reply {
        self.record(state, result.as_ref().err().map(|error| error.code.clone()));
        match result {
            Ok(output) => self.succeed(&output),
            Err(error) => self.refuse(&error),
        }
    }

    fn record(&self, state: &State, error: Option<String>) {
        state.record(Request {
            service: self.service.name.to_owned(),
            operation: self.operation.clone(),
            region: self.region.clone(),
            caller: self.caller.clone(),
            input: self.input.clone(),
            error,
        });
    }

    /// Images and tokens of the default account and Region come from the cache, when there is one.
    async fn forward(
        &self,
        state: &State,
        request: &registry_sim::Request,
    ) -> Option<(Reply, Option<String>)> {
        let images = ["BatchGetImage", "DescribeImages", "GetAuthorizationToken", "ListImages"];
        if self.service.name != "ecr" || !images.contains(&self.operation.as_str()) || self.check().is_err() {
            return None;
        }
        let cache = {
            let world = state.world();
            let home = world.is_home(self.caller.split(':').nth(4).unwrap_or_default(), &self.region);
            world.cache.clone().filter(|_| home)?
        };
        let reply = cache.api(request).await;
        let Octets::Bytes(body) = &reply.body else { return None };
        let body: Value = serde_json::from_slice(body.as_ref()).unwrap_or_default();
        Some((reply, body["__type"].as_str().map(str::to_owned)))
    }

    /// Checks the input and carries it out.
    pub(crate) fn run(&self, world: &mut World) -> Result<Value, AwsError> {
        if self.service.operation(&self.operation).is_none() {
            let code = match self.service.protocol() {
                Protocol::Json => "UnknownOperationException",
                Protocol::Query => "InvalidAction",
            };
            return Err(error(
                code,
                format!("aws-sim does not know {}:{}", self.service.name, self.operation),
            ));
        }
        self.check()?;
        let mut scope = world.scope(self.service, &self.operation, &self.region, &self.caller);
        let result = match self.service.name {
            "ecr" => ecr::operation(&mut scope, &self.input),
            "secretsmanager" => secrets::operation(&mut scope, &self.input),
            "sts" => sts::operation(&mut scope, &self.input),
            _ => iam::operation(&mut scope, &self.input),
        };
        world.teach_cache();
        self.held_to_the_model(result)
    }

    /// An answer that the model has no room for, or an error that the operation does not declare, is a mistake of this
    /// crate, which a test must see as one.
    fn held_to_the_model(&self, result: Result<Value, AwsError>) -> Result<Value, AwsError> {
        let why = match &result {
            Ok(output) => {
                let stray = self.service.check_output(&self.operation, output);
                stray.map(|stray| format!("the answer's `{stray}` is not what the model has"))
            }
            Err(error) => {
                let known = error.status(self.service, &self.operation).is_some();
                (!known).then(|| format!("the operation does not declare `{}`", error.code))
            }
        };
        match why {
            None => result,
            Some(why) => {
                let message = format!("aws-sim: {}:{}: {why}", self.service.name, self.operation);
                Err(error(SIMULATION_FAULT, message))
            }
        }
    }

    /// Is the input what the model takes?
    fn check(&self) -> Result<(), AwsError> {
        let complaints = self.service.check_input(&self.operation, &self.input);
        let Some(first) = complaints.first() else { return Ok(()) };
        let declares = |code: &str| self.service.declared(&self.operation, code).is_some();
        Err(match self.service.protocol() {
            Protocol::Json if self.service.name == "ecr" && declares("InvalidParameterException") => {
                error("InvalidParameterException", first.in_ecr_words())
            }
            Protocol::Json => error("ValidationException", Complaint::in_words(&complaints)),
            Protocol::Query => error("ValidationError", Complaint::in_words(&complaints)),
        })
    }

    /// The error that a fault stands for.
    fn fail(&self, fault: &Fault) -> Option<AwsError> {
        let protocol = self.service.protocol();
        let by = |json, query| match protocol {
            Protocol::Json => json,
            Protocol::Query => query,
        };
        Some(match fault {
            Fault::Deny => {
                let code = by("AccessDeniedException", "AccessDenied");
                let action = format!("{}:{}", self.service.name, self.operation);
                error(code, refusal(&self.caller, &action, &self.resource()))
            }
            Fault::Throttle => error(by("ThrottlingException", "Throttling"), "Rate exceeded"),
            Fault::ServerError => {
                let code = match self.service.name {
                    "ecr" => "ServerException",
                    "secretsmanager" => "InternalServiceError",
                    "iam" if self.service.declared(&self.operation, "ServiceFailure").is_some() => {
                        "ServiceFailure"
                    }
                    _ => "InternalFailure",
                };
                error(code, "An internal error occurred. Try again later.")
            }
            Fault::Unavailable => error("ServiceUnavailable", "Service is unable to handle request."),
            Fault::Expired => error(
                by("ExpiredTokenException", "ExpiredToken"),
                "The security token included in the request is expired",
            ),
            Fault::Error(code, message) => error(code, message.clone()),
            Fault::Reset => error("ServiceUnavailable", "reset"),
            Fault::ResetAfter | Fault::Latency(_) => return None,
        })
    }

    /// The resource that an access denied message names: the ARN in the request, or what the name in it makes one
    /// (Service Authorization Reference), or `*`. Secrets Manager says the name as it was given.
    fn resource(&self) -> String {
        let (partition, account) =
            (partition(&self.region), self.caller.split(':').nth(4).unwrap_or_default());
        let text = |name: &str| self.input[name].as_str();
        let in_region = |service: &str, resource: String| {
            format!("arn:{partition}:{service}:{}:{account}:{resource}", self.region)
        };
        let arns = ["resourceArn", "PolicyArn", "RoleArn", "SecretId"].iter().filter_map(|name| text(name));
        if let Some(arn) = arns.into_iter().find(|known| known.starts_with("arn:")) {
            return arn.to_owned();
        }
        match self.service.name {
            "ecr" => text("repositoryName").map(|name| in_region("ecr", format!("repository/{name}"))),
            "secretsmanager" => text("SecretId").or(text("Name")).map(str::to_owned),
            "iam" => {
                text("RoleName").map(|name| format!("arn:{partition}:iam::{account}:role/{name}")).or_else(
                    || text("PolicyName").map(|name| format!("arn:{partition}:iam::{account}:policy/{name}")),
                )
            }
            _ => None,
        }
        .unwrap_or_else(|| "*".to_owned())
    }

    fn succeed(&self, output: &Value) -> Reply {
        match self.service.protocol() {
            Protocol::Json => json_reply(200, output),
            _ => xml_reply(200, xml::answer(self.service, &self.operation, output, ID)),
        }
    }

    /// 501 is not retried and is no status of AWS.
    fn refuse(&self, error: &AwsError) -> Reply {
        let known = self.service.operation(&self.operation).is_some();
        let status = error.status(self.service, &self.operation);
        self.error_reply(status.unwrap_or(if known { 501 } else { 400 }), error)
    }

    fn error_reply(&self, status: u16, error: &AwsError) -> Reply {
        match self.service.protocol() {
            Protocol::Json => lost(status, &error.code, &error.message),
            _ => xml_reply(status, xml::error(self.service, &error.code, &error.message, status, ID)),
        }
    }
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, body.to_string())
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("x-amzn-RequestId", ID)
}

fn xml_reply(status: u16, body: String) -> Reply {
    Reply::new(status, body).header("Content-Type", "text/xml").header("x-amzn-RequestId", ID)
}

fn lost(status: u16, code: &str, message: &str) -> Reply {
    json_reply(status, &json!({ "__type": code, "message": message }))
}
