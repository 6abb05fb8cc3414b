//! `docs/aws-coverage.md`: what our simulation and two emulators do with every operation, and with bad requests.
//!
//! Each operation is called once with little but valid input, in an order in which what it needs is there. Our own
//! column is measured on every test run; those of ministack and moto by `aws_peers_coverage`, which needs
//! `.ci/peers aws`. `PULLTHRU_BLESS=1` writes what was measured into the page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use aws_sim::{AwsSim, Settings};
use serde_json::{Value, json};

use super::cases::{Case, FAKECLOUD, REGION, case, cases, policy, refusals};
use super::config;
use super::peers::{exchange, ministack, moto};

/// Something that speaks AWS's protocols.
struct Endpoint {
    host: String,
    kept: BTreeMap<String, String>,
}

impl Endpoint {
    /// The status and body of a call.
    fn call(&mut self, case: &Case) -> (u16, String) {
        let mut input = case.input.to_string();
        for (name, value) in &self.kept {
            // As a JSON string, without its quotes.
            let quoted = Value::from(value.as_str()).to_string();
            input = input.replace(&format!("\"${name}\""), &quoted);
        }
        let input: Value = serde_json::from_str(&input).unwrap();
        let (service, operation) = case.action.split_once(':').unwrap();
        let target = match service {
            "ecr" => Some("AmazonEC2ContainerRegistry_V20150921"),
            "secretsmanager" => Some("secretsmanager"),
            _ => None,
        };
        let mut headers = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=test/20261121/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20261121T000000Z\r\n"
        );
        let body = match target {
            Some(target) => {
                headers.push_str(&format!(
                    "X-Amz-Target: {target}.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n"
                ));
                input.to_string()
            }
            None => {
                headers.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
                let version = match service {
                    "iam" => "2010-05-08",
                    _ => "2011-06-15",
                };
                let mut form = format!("Action={operation}&Version={version}");
                flatten(&input, "", ".member", &mut form);
                form
            }
        };
        let reply = exchange(&self.host, "POST", "/", &headers, &body).unwrap_or_default();
        if let Some((name, member)) = case.keeps
            && let Some(value) = member_of(&reply.1, member)
        {
            self.kept.insert(name.to_owned(), value);
        }
        reply
    }

    /// What it does with every operation, by action.
    fn coverage(&mut self) -> BTreeMap<&'static str, String> {
        cases().iter().map(|case| (case.action, outcome(&self.call(case)))).collect()
    }

    /// What it does with every bad request, by what is wrong.
    fn refusals(&mut self) -> BTreeMap<&'static str, String> {
        let identity = self.call(&case("sts:GetCallerIdentity", json!({})));
        let account = member_of(&identity.1, "Account").unwrap_or_default();
        self.kept.insert("account".to_owned(), account);
        self.call(&case("secretsmanager:CreateSecret", json!({ "Name": "waiting" })));
        self.call(&case("secretsmanager:DeleteSecret", json!({ "SecretId": "waiting" })));
        let refusals = refusals();
        let rendered = refusals.iter().map(|(what, case, wanted)| {
            let (status, body) = self.call(case);
            let found = code(&body).unwrap_or_default();
            let rendered = match outcome(&(status, body)).as_str() {
                "works" => "accepted".to_owned(),
                "not implemented" => "not implemented".to_owned(),
                _ if found == *wanted => "as AWS".to_owned(),
                other => other.to_owned(),
            };
            (*what, rendered)
        });
        rendered.collect()
    }
}

/// Puts a value into a form: members by `.`, items of a list by their number after `list`.
fn flatten(value: &Value, at: &str, list: &str, form: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                flatten(value, &at, list, form);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &format!("{at}{list}.{}", index + 1), list, form);
            }
        }
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
            form.push_str(&format!("&{at}={}", bytes.collect::<String>()));
        }
    }
}

/// The first member or element of that name, at any depth.
fn member_of(body: &str, name: &str) -> Option<String> {
    fn search(value: &Value, name: &str) -> Option<String> {
        match value {
            Value::Object(members) => {
                let own = members.get(name).and_then(Value::as_str).map(str::to_owned);
                own.or_else(|| members.values().find_map(|value| search(value, name)))
            }
            Value::Array(items) => items.iter().find_map(|item| search(item, name)),
            _ => None,
        }
    }
    match serde_json::from_str::<Value>(body) {
        Ok(value) => search(&value, name),
        Err(_) => {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
        }
    }
}

/// The code of an error: JSON's `__type` without its namespace, XML's `Code`.
fn code(body: &str) -> Option<String> {
    let code = member_of(body, "__type").or_else(|| member_of(body, "Code"))?;
    Some(code.rsplit('#').next().unwrap_or_default().to_owned())
}

/// What an answer says about the operation.
fn outcome((status, body): &(u16, String)) -> String {
    let unknown = ["InvalidAction", "UnknownOperationException", "NotImplemented", "UnsupportedOperation"];
    match (status, code(body)) {
        (200..=299, _) => "works".to_owned(),
        (_, Some(code)) if unknown.contains(&code.as_str()) => "not implemented".to_owned(),
        (_, Some(code)) => format!("refuses: `{code}`"),
        // moto's, of an operation that it has not: a page of HTML with the Python error.
        (500.., None) | (404, None) => "not implemented".to_owned(),
        (status, None) => format!("refuses: {status}"),
    }
}

fn own() -> AwsSim {
    AwsSim::start(Settings::default()).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { host: url.replace("http://", ""), kept: BTreeMap::new() }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/aws-coverage.md")
}

/// The rows of a table of the page, by their first cell.
fn rows(mark: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (table, _) = rest.split_once(&format!("<!-- end of {mark} -->\n")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = table.lines().skip(2).map(cells);
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[1..].to_vec())).collect()
}

/// Puts lines between two marks of the page.
fn bless(mark: &str, lines: &[String]) {
    let text = std::fs::read_to_string(page()).unwrap();
    let (start, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->\n"));
    let (before, rest) = text.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    std::fs::write(page(), format!("{before}{start}{}\n{end}{after}", lines.join("\n"))).unwrap();
}

#[test]
fn aws_coverage_own_works_throughout() {
    let aws = own();
    let measured = endpoint(&aws.url()).coverage();
    let simulated = aws_sim::actions();
    assert_eq!(
        measured.keys().collect::<Vec<_>>(),
        simulated.iter().collect::<Vec<_>>(),
        "a case for every action"
    );
    let failing: Vec<_> = measured.iter().filter(|(_, outcome)| *outcome != "works").collect();
    assert!(failing.is_empty(), "{failing:?}");
    let aws = own();
    let rendered = endpoint(&aws.url()).refusals();
    assert!(rendered.values().all(|outcome| outcome == "as AWS"), "{rendered:?}");
    if std::env::var_os("PULLTHRU_BLESS").is_none() {
        let listed: Vec<String> = rows("operations").into_keys().collect();
        assert_eq!(listed, simulated, "PULLTHRU_BLESS=1 and `aws_peers_coverage` renew the page");
    }
}

#[test]
#[ignore = "needs target/peers/aws"]
fn aws_peers_coverage() {
    let (aws, second) = (own(), own());
    let (mini, moto) = (ministack(false), moto());
    let own = endpoint(&aws.url()).coverage();
    let columns = [own, endpoint(&mini.url()).coverage(), endpoint(&moto.url()).coverage()];
    mini.reset();
    moto.reset();
    let refused =
        [endpoint(&second.url()), endpoint(&mini.url()), endpoint(&moto.url())].map(|mut one| one.refusals());
    if std::env::var_os("PULLTHRU_BLESS").is_some() {
        let mut lines = vec![
            "| operation | aws-sim | ministack | moto | fakecloud |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        for action in aws_sim::actions() {
            let cells: Vec<&str> = columns.iter().map(|column| column[action.as_str()].as_str()).collect();
            let known = FAKECLOUD.iter().find(|(_, actions)| actions.split(' ').any(|one| one == action));
            lines.push(format!(
                "| `{action}` | {} | {} |",
                cells.join(" | "),
                known.map_or("not tried", |(rendered, _)| rendered)
            ));
        }
        bless("operations", &lines);
        let mut lines = vec![
            "| bad request | AWS | aws-sim | ministack | moto |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        for (what, _, wanted) in refusals() {
            let cells: Vec<&str> = refused.iter().map(|column| column[what].as_str()).collect();
            lines.push(format!("| {what} | `{wanted}` | {} |", cells.join(" | ")));
        }
        bless("refusals", &lines);
    }
    for (action, cells) in rows("operations") {
        let measured: Vec<&String> = columns.iter().map(|column| &column[action.as_str()]).collect();
        assert_eq!(cells[..3].iter().collect::<Vec<_>>(), measured, "{action}");
    }
    let listed = rows("refusals");
    for (what, _, _) in refusals() {
        let measured: Vec<&String> = refused.iter().map(|column| &column[what]).collect();
        assert_eq!(listed[what][1..4].iter().collect::<Vec<_>>(), measured, "{what}");
    }
    println!("{} operations, {} bad requests", columns[0].len(), refused[0].len());
}

/// With `AUTH=true` ministack enforces policies on ECR: what a role has no right to is refused.
#[tokio::test]
#[ignore = "needs target/peers/aws"]
async fn aws_peers_ministack_enforces_policies() {
    let peer = ministack(true);
    let admin = config(&peer.url(), ["test", "test"], None).await;
    let iam = aws_sdk_iam::Client::new(&admin);
    let trust = policy(Some("*"), "sts:AssumeRole", None);
    let role = iam.create_role().role_name("reader").assume_role_policy_document(trust).send().await.unwrap();
    let read = policy(None, "ecr:Describe*", Some("*"));
    iam.put_role_policy().role_name("reader").policy_name("read").policy_document(read).send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&admin);
    let arn = role.role.unwrap().arn;
    let taken = sts.assume_role().role_arn(arn).role_session_name("test").send().await.unwrap();
    let taken = taken.credentials.unwrap();
    let keys = [taken.access_key_id.as_str(), taken.secret_access_key.as_str()];
    let reader = config(&peer.url(), keys, Some(taken.session_token.clone())).await;
    let ecr = aws_sdk_ecr::Client::new(&reader);
    ecr.describe_repositories().send().await.unwrap();
    let refused = ecr.create_repository().repository_name("app").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    aws_sdk_ecr::Client::new(&admin).create_repository().repository_name("app").send().await.unwrap();
}
