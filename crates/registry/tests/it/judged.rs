//! The pure judgement, a case a line: what was said of an image, and what it means.

use pullthru_core::image::{Digest, Name};
use pullthru_core::images::Image;
use pullthru_registry::verify::{
    Answers, At, CacheAnswer, CachedImage, Options, Outcome, PinnedTag, Severity, UpstreamAnswer, judge,
};
use pullthru_registry::{Detail, Failure, Kind, Network, Platform, Resolved};

const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";

fn digest(byte: &str) -> Digest {
    Digest::parse(&format!("sha256:{}", byte.repeat(32))).unwrap()
}

fn resolved(byte: &str, platforms: &[(&str, &str)]) -> Resolved {
    let platforms = platforms.iter().map(|(architecture, variant)| Platform {
        os: "linux".to_owned(),
        architecture: (*architecture).to_owned(),
        variant: Some((*variant).to_owned()).filter(|variant| !variant.is_empty()),
        os_version: None,
        digest: digest(byte),
        size: 1,
        content: None,
    });
    Resolved {
        digest: digest(byte),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        size: 1,
        kind: Some(Kind::Image),
        is_index: true,
        platforms: platforms.collect(),
        attestations: Vec::new(),
        nested: Vec::new(),
    }
}

fn detail(code: &str, message: &str) -> Box<Detail> {
    Box::new(Detail { code: Some(code.to_owned()), message: message.to_owned(), ..Detail::default() })
}

fn not_found() -> Failure {
    Failure::NotFound(detail("MANIFEST_UNKNOWN", "manifest unknown"))
}

fn hidden() -> Failure {
    Failure::Unauthorized(detail("UNAUTHORIZED", "authentication required"))
}

fn no_network() -> Failure {
    Failure::Network(Box::default(), Network::Timeout)
}

/// `v1`, `v1@aa`, `@aa`.
fn pull(reference: &str) -> Image {
    let (tag, pinned) = reference.split_once('@').map_or((reference, None), |(tag, pin)| (tag, Some(pin)));
    Image {
        upstream: Some(Name::parse("ghcr.io/o/app").unwrap()),
        cached: Some(Name::parse(&format!("{ECR}/ghcr/o/app")).unwrap()),
        tag: Some(tag.to_owned()).filter(|tag| !tag.is_empty()),
        digest: pinned.map(digest),
        ..Image::default()
    }
}

type Said = Option<Result<&'static str, Failure>>;

fn upstream(by_tag: Said, pinned: Said) -> Option<UpstreamAnswer> {
    let read =
        |said: Said| said.map(|said| said.map(|byte| resolved(byte, &[("amd64", ""), ("arm64", "v8")])));
    Some(UpstreamAnswer { by_tag: read(by_tag), pinned: read(pinned) })
}

fn has(byte: &str) -> Option<CacheAnswer> {
    let cached = CachedImage { digest: digest(byte).to_string(), age: Some(30), resolved: None };
    Some(CacheAnswer::Has(Box::new(cached)))
}

fn options(platforms: &[&str]) -> Options {
    Options {
        at: At::Both,
        platforms: platforms.iter().map(|text| text.parse().unwrap()).collect(),
        allow_import: false,
        sizes: false,
    }
}

/// The outcome's id, with what distinguishes two of the same id.
fn name(outcome: &Outcome) -> String {
    let more = match outcome {
        Outcome::ColdDigest { tag: PinnedTag::Leads } => "leads",
        Outcome::ColdDigest { tag: PinnedTag::Holds { .. } } => "holds",
        Outcome::ColdDigest { tag: PinnedTag::Moved { .. } } => "moved",
        Outcome::ColdDigest { tag: PinnedTag::Gone } => "gone",
        Outcome::ColdDigest { tag: PinnedTag::NotWritten } => "not written",
        Outcome::PinMoved { tag: None, .. } => "gone",
        Outcome::Denied { why, .. } => why,
        _ => return outcome.id().to_owned(),
    };
    format!("{}: {more}", outcome.id())
}

#[test]
fn every_pair_of_answers_has_its_outcome() {
    use CacheAnswer::HasNot;
    let ok = |byte| Some(Ok(byte));
    let failed = |failure| Some(CacheAnswer::Failed(failure));
    let cases: Vec<(&str, Option<UpstreamAnswer>, Option<CacheAnswer>, &str)> = vec![
        // The upstream alone.
        ("v1", upstream(ok("aa"), None), None, "resolved"),
        ("v1@aa", upstream(ok("aa"), None), None, "resolved"),
        ("@aa", upstream(None, ok("aa")), None, "resolved"),
        ("v1@aa", upstream(ok("bb"), ok("aa")), None, "pin-moved"),
        ("v1@aa", upstream(Some(Err(not_found())), ok("aa")), None, "pin-moved: gone"),
        ("v1@aa", upstream(ok("bb"), Some(Err(not_found()))), None, "missing"),
        ("v1@aa", upstream(Some(Err(no_network())), ok("aa")), None, "resolved"),
        ("v1", upstream(Some(Err(not_found())), None), None, "missing"),
        ("v1", upstream(Some(Err(hidden())), None), None, "missing"),
        ("v1", upstream(Some(Err(no_network())), None), None, "unreachable"),
        ("v1", None, None, "not-asked"),
        // The cache has it.
        ("v1", None, has("aa"), "resolved"),
        ("v1", upstream(ok("aa"), None), has("aa"), "resolved"),
        ("v1", upstream(ok("bb"), None), has("aa"), "differs"),
        ("v1@aa", upstream(ok("bb"), ok("aa")), has("aa"), "pin-moved"),
        ("v1@aa", upstream(Some(Err(not_found())), ok("aa")), has("aa"), "pin-moved: gone"),
        ("v1@aa", upstream(ok("bb"), Some(Err(not_found()))), has("aa"), "only-cached"),
        ("v1", upstream(Some(Err(not_found())), None), has("aa"), "only-cached"),
        ("v1", upstream(Some(Err(hidden())), None), has("aa"), "only-cached"),
        ("v1", upstream(Some(Err(no_network())), None), has("aa"), "unreachable"),
        ("@aa", upstream(None, ok("aa")), has("aa"), "resolved"),
        // The cache has it not.
        ("v1", upstream(ok("aa"), None), Some(HasNot), "cold"),
        ("v1", None, Some(HasNot), "cold"),
        ("v1", upstream(Some(Err(not_found())), None), Some(HasNot), "missing"),
        ("v1", upstream(Some(Err(no_network())), None), Some(HasNot), "unreachable"),
        ("v1@aa", upstream(ok("aa"), None), Some(HasNot), "cold-digest: leads"),
        ("v1@aa", upstream(ok("bb"), ok("aa")), Some(HasNot), "cold-digest: moved"),
        ("v1@aa", upstream(Some(Err(not_found())), ok("aa")), Some(HasNot), "cold-digest: gone"),
        ("v1@aa", upstream(ok("bb"), Some(Err(not_found()))), Some(HasNot), "missing"),
        ("@aa", upstream(None, ok("aa")), Some(HasNot), "cold-digest: not written"),
        ("v1@aa", None, Some(HasNot), "cold-digest: leads"),
        ("@aa", None, Some(HasNot), "cold-digest: not written"),
        // The cache could not be asked.
        ("v1", upstream(ok("aa"), None), failed(no_network()), "unreachable"),
        ("v1", upstream(Some(Err(not_found())), None), failed(not_found()), "missing"),
        (
            "v1",
            upstream(ok("aa"), None),
            failed(not_found()),
            "denied: the upstream has it, and ECR did not import it: `ecr:BatchImportUpstreamImage` is not allowed",
        ),
        (
            "v1",
            upstream(Some(Err(hidden())), None),
            failed(not_found()),
            "denied: it is not there, or may not be imported",
        ),
        (
            "v1",
            upstream(Some(Err(not_found())), None),
            failed(Failure::Denied(detail("AccessDeniedException", "not allowed"))),
            // What ECR keeps from us is said first: it holds for every image.
            "denied: `ecr:DescribeImages` is not allowed",
        ),
        ("v1", None, failed(Failure::Unauthorized(Box::default())), "denied: no login that ECR accepts"),
    ];
    for (reference, upstream, cache, expected) in cases {
        let said = format!("{reference} {upstream:?} {cache:?}");
        let outcome = judge(&pull(reference), &Answers { upstream, cache, rule: None }, &options(&[]));
        assert_eq!(name(&outcome), expected, "{said}");
        assert!(!outcome.explain().is_empty());
        let next = outcome.next("x");
        assert_eq!(next.is_some(), outcome.severity() != Severity::Fine, "{expected}: {next:?}");
    }
}

#[test]
fn a_repository_that_ecr_does_not_have_is_judged_by_its_rules() {
    let said = "The repository with name 'ghcr/o/app' does not exist in the registry";
    for code in ["NAME_UNKNOWN", "RepositoryNotFoundException"] {
        for (rule, expected) in [
            (Some(false), "denied: no rule has its prefix"),
            (Some(true), "denied: its repository is not there, and `ecr:CreateRepository` is not allowed"),
            (None, "denied: no rule for this prefix, or `ecr:CreateRepository` is not allowed"),
        ] {
            let failure = Failure::NotFound(detail(code, said));
            let cache = Some(CacheAnswer::Failed(failure));
            let answers = Answers { upstream: upstream(Some(Ok("aa")), None), cache, rule };
            assert_eq!(name(&judge(&pull("v1"), &answers, &options(&[]))), expected);
        }
    }
}

#[test]
fn an_image_of_ecr_alone() {
    let own = Image { upstream: None, ..pull("v1") };
    for (cache, expected) in [
        (None, "not-asked"),
        (has("aa"), "resolved"),
        (Some(CacheAnswer::HasNot), "missing-cache"),
        (Some(CacheAnswer::Failed(not_found())), "missing-cache"),
        (Some(CacheAnswer::Failed(no_network())), "unreachable"),
    ] {
        let answers = Answers { upstream: None, cache, rule: None };
        assert_eq!(judge(&own, &answers, &options(&[])).id(), expected);
    }
}

#[test]
fn platforms_are_those_that_containerd_would_take() {
    let check = |has: &[(&str, &str)], wanted: &str| {
        let by_tag = Some(Ok(resolved("aa", has)));
        let answers =
            Answers { upstream: Some(UpstreamAnswer { by_tag, pinned: None }), cache: None, rule: None };
        judge(&pull("v1"), &answers, &options(&[wanted])).id() == "resolved"
    };
    for (has, wanted) in [
        (("amd64", ""), "linux/amd64"),
        (("amd64", "v1"), "linux/amd64"),
        (("amd64", ""), "linux/amd64/v2"),
        (("amd64", "v2"), "linux/amd64/v3"),
        (("386", ""), "linux/amd64"),
        (("arm64", "v8"), "linux/arm64"),
        (("arm64", "8"), "linux/arm64"),
        (("arm64", ""), "linux/arm64/v8"),
        (("arm64", "v8"), "linux/arm64/v8.2"),
        (("arm64", "v8.5"), "linux/arm64/v9"),
        (("arm", "v7"), "linux/arm64"),
        (("arm", "v7"), "linux/arm"),
        (("arm", "v6"), "linux/arm"),
        (("arm", ""), "linux/arm/v7"),
        (("arm", "v5"), "linux/arm/v7"),
        (("arm", "v6"), "linux/arm/v6"),
        (("arm", "v6"), "LINUX/ARM/V6"),
        (("s390x", ""), "linux/s390x"),
        (("ppc64le", "power9"), "linux/ppc64le/power9"),
    ] {
        assert!(check(&[has], wanted), "{has:?} {wanted}");
    }
    for (has, wanted) in [
        (("amd64", ""), "linux/arm64"),
        (("amd64", ""), "windows/amd64"),
        (("amd64", ""), "linux/386"),
        (("amd64", "v3"), "linux/amd64"),
        (("amd64", "v3"), "linux/amd64/v2"),
        (("arm", "v7"), "linux/arm/v6"),
        (("arm", ""), "linux/arm/v6"),
        (("arm64", ""), "linux/arm"),
        (("arm64", "v8.2"), "linux/arm64"),
        (("arm64", "v9"), "linux/arm64/v8.5"),
        (("arm64", "v8.6"), "linux/arm64/v9"),
        (("ppc64le", "power10"), "linux/ppc64le"),
        (("unknown", ""), "linux/amd64"),
    ] {
        assert!(!check(&[has], wanted), "{has:?} {wanted}");
    }
    // An index without an image is none, whatever is wanted; what names no platform is not one.
    for (has, wanted) in [(&[][..], None), (&[], Some("linux/amd64")), (&[("", "")], Some("linux/amd64"))] {
        let by_tag = Some(Ok(resolved("aa", has)));
        let upstream = Some(UpstreamAnswer { by_tag, pinned: None });
        let answers = Answers { upstream, cache: None, rule: None };
        let outcome = judge(&pull("v1"), &answers, &options(wanted.as_slice()));
        assert_eq!((outcome.id(), outcome.severity()), ("platform-missing", Severity::Bad), "{has:?}");
    }
    // Charts and signatures run nowhere.
    let chart = Resolved { kind: Some(Kind::HelmChart), ..resolved("aa", &[]) };
    let by_tag = Some(Ok(chart));
    let answers =
        Answers { upstream: Some(UpstreamAnswer { by_tag, pinned: None }), cache: None, rule: None };
    assert_eq!(judge(&pull("v1"), &answers, &options(&["linux/arm64"])).id(), "resolved");
}

#[test]
fn an_old_tag_is_distinguished_from_one_that_ecr_will_look_after_by_itself() {
    let next = |age| {
        let cached = CachedImage { digest: digest("aa").to_string(), age, resolved: None };
        let cache = Some(CacheAnswer::Has(Box::new(cached)));
        judge(
            &pull("v1"),
            &Answers { upstream: upstream(Some(Ok("bb")), None), cache, rule: None },
            &options(&[]),
        )
        .next("x")
        .unwrap()
    };
    assert!(next(Some(3)).starts_with("ECR looks upstream once in 24 h"));
    assert!(next(Some(40)).contains("unless its tags are immutable"));
    assert!(next(None).contains("unless its tags are immutable"));
}

/// What is no platform never stands for one that is not there.
#[test]
fn a_platform_that_is_spelled_wrong_is_refused() {
    use pullthru_registry::verify::WantedPlatform;
    for (text, says) in [
        ("amd64", "write `linux/amd64`"),
        ("linux", "write `linux/amd64`"),
        ("linux/arm/v7/x", "write `linux/amd64`"),
        ("linux//v7", "write `linux/amd64`"),
        ("linux/amd6", "there is no architecture `amd6`; did you mean `amd64`?"),
        ("linux/zebra", "there is no architecture `zebra`"),
        ("linus/amd64", "there is no operating system `linus`; did you mean `linux`?"),
        ("linux/arm/v9", "there is no variant of arm `v9`"),
        ("linux/amd64/v5", "there is no variant of amd64 `v5`"),
        ("linux/arm64/v7", "there is no variant of arm64 `v7`"),
        ("linux/arm64/v9.99999999999999999999", "there is no variant of arm64"),
    ] {
        let error = text.parse::<WantedPlatform>().unwrap_err().to_string();
        assert!(error.contains(says) && error.starts_with(&format!("`{text}` is no platform")), "{error}");
    }
    for (text, shown) in [
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("Linux/arm64/v8.2", "linux/arm64/v8.2"),
    ] {
        let platform: WantedPlatform = text.parse().unwrap();
        assert_eq!(platform.to_string(), shown);
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
}
