//! The configuration: what a file may say, and how each mistake is reported.

use std::fs;

use miette::{GraphicalReportHandler, GraphicalTheme};
use pullthru_core::config::{Config, Facts, Overrides, json_schema, propose};
use pullthru_core::image::Name;

use crate::golden::assert_same;

fn load(text: &str) -> Result<Config, String> {
    Config::load(Some(("pullthru.yaml".to_owned(), text.to_owned())), &Overrides::default()).map_err(
        |errors| {
            let mut out = String::new();
            let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100);
            for error in &errors.errors {
                handler.render_report(&mut out, error).unwrap();
            }
            out
        },
    )
}

/// Where an image at a path routes to.
fn routed(config: &Config, path: &str, image: &str) -> String {
    let name = Name::parse(image).unwrap();
    config.routes(path).unwrap().map(&name).unwrap().to_string()
}

#[test]
fn every_mistake_points_into_the_file() {
    let cases = crate::golden::root().join("testdata/config");
    let mut names: Vec<_> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    names.sort();
    assert!(names.len() >= 12, "fixtures are missing");
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let error = load(&fs::read_to_string(&path).unwrap()).expect_err(name);
        assert!(error.contains("pullthru.yaml:"), "{name} does not say where:\n{error}");
        assert_same(&format!("testdata/config/{name}.txt"), &error);
    }
}

#[test]
fn paths_choose_their_target_by_the_longer_fixed_start() {
    let config = load(
        r#"
registry: { account: "123456789012", region: ca-central-1 }
targets:
  - paths: ["clusters/prod/**"]
    registry: { account: "210987654321", region: eu-central-1 }
  - paths: ["clusters/prod/us/**"]
    registry: { account: "210987654321", region: us-east-1 }
    upstreams: { ghcr.io: mirror/ghcr }
"#,
    )
    .unwrap();
    let image = "ghcr.io/o/n";
    assert_eq!(
        routed(&config, "apps/x.yaml", image),
        "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/n"
    );
    assert_eq!(
        routed(&config, "clusters/prod/x.yaml", image),
        "210987654321.dkr.ecr.eu-central-1.amazonaws.com/ghcr/o/n"
    );
    assert_eq!(
        routed(&config, "clusters/prod/us/x.yaml", image),
        "210987654321.dkr.ecr.us-east-1.amazonaws.com/mirror/ghcr/o/n"
    );
}

#[test]
fn an_opaque_host_a_list_of_rules_and_globs_of_images() {
    let config = load(
        r#"
registry: { host: "${ECR_REGISTRY}" }
upstreams:
  ghcr.io: [{ prefix: team, upstream-prefix: my-org }, { prefix: ghcr }]
include: ["ghcr.io/**"]
exclude: ["ghcr.io/fluxcd/*"]
"#,
    )
    .unwrap();
    assert_eq!(routed(&config, "x.yaml", "ghcr.io/my-org/app"), "${ECR_REGISTRY}/team/app");
    assert_eq!(routed(&config, "x.yaml", "ghcr.io/other/app"), "${ECR_REGISTRY}/ghcr/other/app");
    assert!(config.wants_image(&Name::parse("ghcr.io/my-org/charts/app").unwrap()));
    assert!(!config.wants_image(&Name::parse("ghcr.io/fluxcd/flux-cli").unwrap()));
    assert!(!config.wants_image(&Name::parse("quay.io/o/n").unwrap()));
}

#[test]
fn flags_alone_are_enough_and_lie_over_the_file() {
    let flags = Overrides {
        account: Some("012345678901".to_owned()),
        region: Some("eu-west-1".to_owned()),
        upstreams: vec!["docker.io=hub".to_owned(), "quay.io".to_owned()],
        ..Overrides::default()
    };
    let config = Config::load(None, &flags).unwrap();
    assert_eq!(config.upstream_hosts(), ["docker.io", "ghcr.io", "quay.io"]);
    assert_eq!(
        routed(&config, "x", "nginx"),
        "012345678901.dkr.ecr.eu-west-1.amazonaws.com/hub/library/nginx"
    );
    let file = "registry: { account: \"123456789012\", region: ca-central-1 }\n".to_owned();
    let config = Config::load(Some(("pullthru.yaml".to_owned(), file)), &flags).unwrap();
    assert_eq!(config.cache_hosts(), ["012345678901.dkr.ecr.eu-west-1.amazonaws.com"]);
    assert!(Config::load(None, &Overrides { account: Some("12".to_owned()), ..flags }).is_err());
}

#[test]
fn patterns_mean_what_people_write() {
    let config = load(
        r#"
registry: { account: "123456789012", region: ca-central-1 }
exclude: ["nginx", "grafana/*", "quay.io"]
targets:
  - paths: ["./clusters/prod"]
    registry: { account: "210987654321", region: eu-central-1 }
  - paths: ["teams/*/eu/**"]
    registry: { account: "210987654321", region: eu-west-1 }
  - paths: ["teams/*/us/**"]
    registry: { account: "210987654321", region: us-east-1 }
"#,
    )
    .unwrap();
    for out in ["nginx", "grafana/loki", "quay.io/o/n"] {
        assert!(!config.wants_image(&Name::parse(out).unwrap()), "{out}");
    }
    assert!(config.wants_image(&Name::parse("ghcr.io/o/n").unwrap()));
    let region = |path| routed(&config, path, "ghcr.io/o/n").split('.').nth(3).unwrap().to_owned();
    assert_eq!(region("clusters/prod/apps/x.yaml"), "eu-central-1");
    assert_eq!(region("teams/a/us/x.yaml"), "us-east-1");
    assert_eq!(region("elsewhere/x.yaml"), "ca-central-1");
}

#[test]
fn an_account_that_starts_with_a_zero_keeps_it_without_quotes() {
    let config = load("registry: { account: 012345678901, region: eu-west-1 }\n").unwrap();
    assert_eq!(config.cache_hosts(), ["012345678901.dkr.ecr.eu-west-1.amazonaws.com"]);
}

#[test]
fn an_empty_file_and_a_file_of_comments_are_fine() {
    for text in ["", "# nothing yet\n", "---\n"] {
        assert!(!load(text).unwrap().has_registry(), "{text:?}");
    }
}

#[test]
fn every_proposal_is_a_configuration_and_so_are_its_examples() {
    let full = Facts {
        upstreams: vec![
            ("ghcr.io".to_owned(), 3, 7),
            ("docker.io".to_owned(), 1, 1),
            ("quay.io".to_owned(), 2, 9),
        ],
        not_cacheable: vec![("mcr.microsoft.com".to_owned(), "ECR has no rule for it", 2)],
        ecr_hosts: vec![("123456789012.dkr.ecr.ca-central-1.amazonaws.com".parse().unwrap(), 4)],
        clusters: vec!["clusters/dev".to_owned(), "clusters/prod".to_owned()],
        ..Facts::default()
    };
    let odd = Facts {
        upstreams: vec![("ghcr.azurecr.io".to_owned(), 1, 1), ("ghcr.io".to_owned(), 1, 2)],
        ecr_hosts: vec![("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn".parse().unwrap(), 4)],
        ..Facts::default()
    };
    for facts in [Facts::default(), full, odd] {
        let text = propose(&facts);
        load(&text).unwrap();
        // An example is a comment that begins with a key: without its `# ` the file still loads.
        let uncommented: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                let example =
                    line.strip_prefix("# ").or(line.strip_prefix('#').filter(|l| l.starts_with("   - ")))?;
                let key = example.split(':').next().unwrap_or("");
                let option = ["include", "exclude", "ignore", "artifacts", "flux", "lint"].contains(&key);
                option.then_some(example)
            })
            .collect();
        assert_eq!(uncommented.len(), 6, "{text}");
        load(&format!("{text}\n{}\n", uncommented.join("\n"))).unwrap();
        let targets = text.split("# targets:").nth(1).unwrap().replace("\n#", "\n");
        load(&format!("{text}\ntargets:{targets}\n")).unwrap();
    }
}

#[test]
fn the_schema_is_the_one_of_the_types() {
    let text = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    assert_same("schema/config.v1.json", &text);
}
