//! Which host gets which credential, on the wire: a table of the scheme that a registry asks for, the question, and what comes
//! after the login. Whoever is redirected to asks for a login, too, and gets none.

use pullthru_registry::{Client, Credentials, Failure};

use super::logins::{ENCODED, PASSWORD, good};
use super::script::{Act, Script, answer, basic, bearer};
use super::support::{at, quick, sha256};

/// What the token server gives.
const TOKEN: &str = "tok-Zq81";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Basic,
    /// With tokens of the registry's own host.
    Bearer,
    /// With tokens of a host that has nothing to do with it.
    Foreign,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Good,
    Status(&'static str),
    /// The same challenge again, whatever is sent.
    Refused,
    /// To a host that asks for this scheme.
    Elsewhere(Scheme),
    /// There and back.
    Back,
    /// Nothing but a closed connection.
    Closed,
}

#[derive(Clone, Copy, Debug)]
enum Question {
    Manifest,
    Head,
    Blob,
    Tags,
}

const SCHEMES: [Scheme; 3] = [Scheme::Basic, Scheme::Bearer, Scheme::Foreign];

const OUTCOMES: [Outcome; 11] = [
    Outcome::Good,
    Outcome::Status("403 Forbidden"),
    Outcome::Status("404 Not Found"),
    Outcome::Status("429 Too Many Requests"),
    Outcome::Status("500 Internal Server Error"),
    Outcome::Refused,
    Outcome::Elsewhere(Scheme::Basic),
    Outcome::Elsewhere(Scheme::Bearer),
    Outcome::Elsewhere(Scheme::Foreign),
    Outcome::Back,
    Outcome::Closed,
];

const QUESTIONS: [Question; 4] = [Question::Manifest, Question::Head, Question::Blob, Question::Tags];

/// `localhost` is another host than `127.0.0.1` to a client.
fn foreign(script: &Script) -> String {
    script.host().replace("127.0.0.1", "localhost")
}

fn challenge(scheme: Scheme, own: &str, foreign: &str) -> Act {
    match scheme {
        Scheme::Basic => basic(),
        Scheme::Bearer => bearer(&format!("http://{own}/token")),
        Scheme::Foreign => bearer(&format!("http://{foreign}/token")),
    }
}

/// The servers of one cell of the table: registry, token server, and who is redirected to.
struct Cell {
    registry: Script,
    tokens: Script,
    elsewhere: Script,
}

impl Cell {
    fn new(scheme: Scheme, outcome: Outcome) -> Cell {
        let token = format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#);
        let tokens = Script::start(move |_, _| answer("200 OK", &[], token.as_bytes()));
        let (own, other) = (tokens.host(), foreign(&tokens));
        let (own_there, other_there) = (own.clone(), other.clone());
        let elsewhere =
            Script::start(move |request, _| match (outcome, request.path().strip_prefix("/back/")) {
                (Outcome::Elsewhere(scheme), _) => challenge(scheme, &own_there, &other_there),
                (_, Some(registry)) => {
                    let there = format!("http://{registry}/v2/a/b/manifests/back");
                    answer("307 Temporary Redirect", &[("Location", &there)], b"")
                }
                _ => good(),
            });
        let there = foreign(&elsewhere);
        let registry = Script::start(move |request, _| {
            if request.authorization().is_empty() {
                return challenge(scheme, &own, &other);
            }
            let to = |path: String| {
                answer("307 Temporary Redirect", &[("Location", &format!("http://{there}{path}"))], b"")
            };
            match outcome {
                Outcome::Good => good(),
                Outcome::Status(status) => answer(status, &[], b""),
                Outcome::Refused => challenge(scheme, &own, &other),
                Outcome::Elsewhere(_) => to("/x".to_owned()),
                Outcome::Back => to(format!("/back/{}", request.header("host").unwrap_or_default())),
                Outcome::Closed => Act::BytesThenClose(Vec::new()),
            }
        });
        Cell { registry, tokens, elsewhere }
    }

    async fn ask(&self, client: &Client, question: Question) -> Option<Failure> {
        let place = at(&self.registry.host(), "a/b:1");
        match question {
            Question::Manifest => client.manifest(&place).await.err(),
            Question::Head => client.head(&place).await.err(),
            Question::Blob => client.blob(place.name(), &sha256(b"blob")).await.err(),
            Question::Tags => client.tags(place.name()).await.err(),
        }
    }
}

/// Does a text show the password, as it is or as it is sent?
fn shows_password(text: &str) -> bool {
    text.contains(PASSWORD) || text.contains(ENCODED)
}

#[tokio::test]
async fn every_credential_goes_to_its_own_host_alone() {
    let mut cells = tokio::task::JoinSet::new();
    for scheme in SCHEMES {
        for outcome in OUTCOMES {
            for question in QUESTIONS {
                cells.spawn(check(scheme, outcome, question));
            }
        }
    }
    let mut checked = 0;
    while let Some(cell) = cells.join_next().await {
        cell.unwrap();
        checked += 1;
    }
    assert_eq!(checked, SCHEMES.len() * OUTCOMES.len() * QUESTIONS.len());
}

async fn check(scheme: Scheme, outcome: Outcome, question: Question) {
    let what = format!("{scheme:?} {outcome:?} {question:?}");
    let cell = Cell::new(scheme, outcome);
    let credentials = Credentials::none().with(&cell.registry.host(), "me", PASSWORD);
    let client = Client::new(quick(), credentials).unwrap();
    let failure = cell.ask(&client, question).await;
    let (registry, tokens, elsewhere) = (cell.registry.wire(), cell.tokens.wire(), cell.elsewhere.wire());
    assert!(!registry.is_empty(), "{what}: the registry was asked");
    let is_redirected = matches!(outcome, Outcome::Elsewhere(_) | Outcome::Back);
    assert_eq!(!elsewhere.is_empty(), is_redirected, "{what}: {elsewhere}");
    // The password: to the registry where it asks for it, else to its own token server.
    assert_eq!(shows_password(&registry), scheme == Scheme::Basic, "{what}: the registry got\n{registry}");
    assert_eq!(shows_password(&tokens), scheme == Scheme::Bearer, "{what}: the token server got\n{tokens}");
    assert!(!shows_password(&elsewhere), "{what}: another host got\n{elsewhere}");
    // The token: to the registry alone.
    assert!(!tokens.contains(TOKEN) && !elsewhere.contains(TOKEN), "{what}: {tokens}{elsewhere}");
    assert!(!elsewhere.to_lowercase().contains("authorization:"), "{what}: {elsewhere}");
    // Nothing that is printed shows one.
    let notes: String = client.notes().iter().map(ToString::to_string).collect();
    let said =
        format!("{}{notes}", failure.map(|failure| format!("{failure} {failure:?}")).unwrap_or_default());
    assert!(!shows_password(&said) && !said.contains(TOKEN), "{what}: {said}");
}
