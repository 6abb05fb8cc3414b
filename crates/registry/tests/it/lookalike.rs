//! A login is for the hosts that the user has named, and for no other that looks like one of them: asserted on what
//! arrived.

use pullthru_registry::auth::variable_for;
use pullthru_registry::{Client, Credentials, SetupError, Variables};

use super::docker::docker;
use super::logins::{ENCODED, PASSWORD, good};
use super::script::{Script, basic};
use super::support::{at, quick};

/// A registry that wants a login and takes any.
fn registry() -> Script {
    Script::start(|request, _| if request.authorization().is_empty() { basic() } else { good() })
}

/// Asks for an image of each host, all served by one registry; the hosts whose request came with a login. Only what is
/// in `variables` names hosts.
async fn logged_in(variables: Variables, hosts: &[&str], named: &[&str]) -> Vec<String> {
    let mut seen = Vec::new();
    for host in hosts {
        let registry = registry();
        let mut settings = quick();
        settings.hosts.insert((*host).to_owned(), registry.host());
        settings.named = named.iter().map(|host| (*host).to_owned()).collect();
        let client = Client::new(settings, Credentials::of(variables.clone())).unwrap();
        let result = client.manifest(&at(host, "a/b:1")).await;
        let sent = registry.wire().contains(ENCODED);
        assert_eq!(result.is_ok(), sent, "{host}: {result:?}");
        if sent {
            seen.push((*host).to_owned());
        }
    }
    seen
}

/// Hosts that some spelling or other could take for the first.
const ALIKE: [&str; 9] = [
    "registry.acme.example",
    "registry-acme.example",
    "registry.acme-example.io",
    "registry--acme.example",
    "registry.acme.example.evil.example",
    "registry.acme.example:8443",
    "evil.example",
    "xn--registry-acme.example",
    "registry.acme",
];

#[tokio::test]
async fn a_variable_is_for_one_host() {
    for host in ALIKE {
        let variables = Variables::of([(variable_for(host), format!("me:{PASSWORD}"))]);
        assert_eq!(logged_in(variables, &ALIKE, &[]).await, [host]);
    }
}

#[tokio::test]
async fn an_entry_of_docker_is_for_one_host() {
    for entry in ["registry.acme.example", "https://registry.acme.example/v2/", "registry.acme.example/a"] {
        let config = format!(r#"{{"auths":{{"{entry}":{{"auth":"{ENCODED}"}}}}}}"#);
        let (_scratch, variables) = docker(&config, &[]);
        assert_eq!(logged_in(variables, &ALIKE, &[]).await, ["registry.acme.example"], "{entry}");
    }
    // A key without a host is for nobody; it is not Docker Hub's either.
    for entry in ["", "https://", "/"] {
        let config = format!(r#"{{"auths":{{"{entry}":{{"auth":"{ENCODED}"}}}}}}"#);
        let (_scratch, variables) = docker(&config, &[]);
        assert!(logged_in(variables, &["docker.io", "evil.example"], &[]).await.is_empty(), "{entry:?}");
    }
}

#[tokio::test]
async fn a_helper_of_one_host_is_asked_for_it_alone() {
    let config = r#"{"credHelpers":{"registry.acme.example":"any"}}"#;
    let (_scratch, variables) = docker(config, &[("any", &answering())]);
    assert_eq!(logged_in(variables, &ALIKE, &[]).await, ["registry.acme.example"]);
}

/// A helper that has a login for whatever it is asked for.
fn answering() -> String {
    format!(
        r#"read server; echo "$server" >> "$(dirname "$0")/asked"; echo '{{"Username":"me","Secret":"{PASSWORD}"}}'"#
    )
}

#[tokio::test]
async fn a_store_for_all_hosts_is_asked_for_those_that_are_named() {
    // As `docker login` leaves an empty entry beside a store.
    let config = r#"{"auths":{"registry.acme.example":{}},"credsStore":"any"}"#;
    let (scratch, variables) = docker(config, &[("any", &answering())]);
    // `--served-at`, which the helper of these tests needs, names a host too: so each is asked at its own address.
    let [first, second] = [registry(), registry()];
    let client = |named: &[String]| {
        let mut settings = quick();
        settings.named = named.to_vec();
        Client::new(settings, Credentials::of(variables.clone())).unwrap()
    };
    for (named, asked) in [(vec![], vec![]), (vec![first.host()], vec![first.host()])] {
        let client = client(&named);
        for script in [&first, &second] {
            let _ = client.manifest(&at(&script.host(), "a/b:1")).await;
        }
        let sent: Vec<String> = [&first, &second]
            .iter()
            .filter(|script| script.wire().contains(ENCODED))
            .map(|s| s.host())
            .collect();
        assert_eq!(sent, asked);
    }
    assert_eq!(scratch.read("bin/asked"), format!("{}\n", first.host()));
    // And by an entry.
    let config = format!(r#"{{"auths":{{"{}":{{}}}},"credsStore":"any"}}"#, second.host());
    let (_scratch, variables) = docker(&config, &[("any", &answering())]);
    let client = Client::new(quick(), Credentials::of(variables)).unwrap();
    client.manifest(&at(&second.host(), "a/b:1")).await.unwrap();
}

#[tokio::test]
async fn docker_hub_has_one_login_by_all_its_names_and_no_other_host_has_it() {
    let names = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    for entry in ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"] {
        let config = format!(r#"{{"auths":{{"{entry}":{{"auth":"{ENCODED}"}}}}}}"#);
        let (_scratch, variables) = docker(&config, &[]);
        let hosts =
            ["docker.io", "hub.docker.io", "index-docker.io", "docker-io.example", "registry.docker.io"];
        assert_eq!(logged_in(variables, &hosts, &[]).await, ["docker.io"]);
    }
    for name in names {
        assert_eq!(at(name, "a/b:1").registry(), "docker.io");
    }
}

#[tokio::test]
async fn tokens_of_github_are_for_ghcr() {
    for variable in ["GHCR_TOKEN", "GITHUB_TOKEN"] {
        let variables = Variables::of([(variable, PASSWORD), ("GITHUB_ACTOR", "me")]);
        let hosts = [
            "ghcr.io",
            "ghcr-io.example",
            "ghcr.io.example",
            "ghcr.io:8443",
            "docker.pkg.github.com",
            "quay.io",
        ];
        assert_eq!(logged_in(variables, &hosts, &[]).await, ["ghcr.io"]);
    }
}

#[test]
fn the_old_name_of_a_variable_is_refused_with_the_new_one() {
    for (old, new) in [
        ("PULLTHRU_AUTH_REGISTRY_ACME_EXAMPLE", "PULLTHRU_AUTH_REGISTRY_dot_ACME_dot_EXAMPLE"),
        ("PULLTHRU_AUTH_LOCALHOST_5000", "PULLTHRU_AUTH_LOCALHOST_colon_5000"),
        ("PULLTHRU_AUTH_INDEX_DOCKER_IO", "PULLTHRU_AUTH_DOCKER_dot_IO"),
    ] {
        let variables = Variables::of([(old, format!("me:{PASSWORD}"))]);
        let error = Client::new(quick(), Credentials::of(variables)).unwrap_err();
        assert!(matches!(error, SetupError::Variable(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{old}`")) && text.contains(&format!("`{new}`")), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
