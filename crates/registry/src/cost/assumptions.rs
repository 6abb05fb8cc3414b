//! What AWS does not document, or nobody can know, and an estimate needs all the same.

use std::collections::{BTreeMap, BTreeSet};

use super::estimate::{HOURS, Options, Scanning};
use super::price::Prices;
use super::repository::Repository;

/// What the estimate takes for granted, a sentence each.
pub fn assumptions(repositories: &[Repository], options: &Options, prices: &Prices) -> Vec<String> {
    let mut said = vec![region_assumption(repositories, prices)];
    let gb = prices.bytes_per_gb;
    said.push(match gb {
        1_073_741_824 => format!("a GB is {gb} bytes, as S3 counts them; AWS does not say it of ECR"),
        _ => format!("a GB is {gb} bytes"),
    });
    said.push(
        "every platform and attestation of an index is stored, and each blob once a repository, since AWS says: \"Blob \
         mounting is not supported for images created via pull through cache\" \
         (https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html); the manifests themselves, a few kB \
         each, are not counted"
            .to_owned(),
    );
    let releases = options.releases;
    said.push(format!(
        "each repository gets {releases} new versions a month, each as large as its largest in use and with no layer in \
         common: an upper bound"
    ));
    said.extend(policy_assumptions(repositories));
    said.push(match options.scanning {
        Scanning::Basic => "basic scanning is free of charge".to_owned(),
        Scanning::Enhanced { rescans } => format!(
            "enhanced scanning looks at each platform's image once, at no attestation, and {rescans} times a month again at \
             what is in use: how often Inspector does is not documented (`--rescans`)"
        ),
    });
    said.push(
        "there is one secret for each rule that wants a login, in each registry; ECR's own reading of it is not counted"
            .to_owned(),
    );
    if !options.replicate.is_empty() {
        said.push(
            "the other Regions have the same lifecycle policy (from a template for replication), and scan nothing".to_owned(),
        );
    }
    if options.nat {
        said.push(
            "all that is transferred first passes the NAT gateway once, as when it is warmed from behind it; what ECR imports \
             by itself does not"
                .to_owned(),
        );
    }
    if options.endpoints.is_some() {
        said.push(format!(
            "ecr.api and ecr.dkr have interface endpoints in one network, for {HOURS} hours a month; layers come through the \
             S3 gateway endpoint, and manifests, a few kB a pull, are not counted"
        ));
    }
    said.push("archive storage, customer managed keys, and traffic to the internet are not in it".to_owned());
    said
}

fn region_assumption(repositories: &[Repository], prices: &Prices) -> String {
    let mut by_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for price in prices.table() {
        by_region.entry(&price.region).or_default().push(price.item.id());
    }
    let caches: BTreeSet<String> =
        repositories.iter().filter_map(Repository::host).map(|host| host.region.to_string()).collect();
    let elsewhere: Vec<String> =
        caches.into_iter().filter(|cache| !by_region.contains_key(cache.as_str())).collect();
    let regions: Vec<String> = match by_region.len() {
        1 => by_region.keys().map(ToString::to_string).collect(),
        _ => by_region.iter().map(|(region, items)| format!("{region} ({})", items.join(", "))).collect(),
    };
    let mut text = format!("prices are those of {}", regions.join(" and "));
    if !elsewhere.is_empty() {
        text.push_str(&format!("; {} may charge otherwise: `--prices FILE` says what", elsewhere.join(", ")));
    }
    text
}

fn policy_assumptions(repositories: &[Repository]) -> Vec<String> {
    let mut said = vec![
        "a policy that keeps K versions counts tags, and a version is an index with its platforms; AWS does not say that \
         those go with an expired index: `expire-untagged-days` takes them"
            .to_owned(),
    ];
    let assumed: Vec<&Repository> =
        repositories.iter().filter(|repository| repository.keep_is_assumed).collect();
    if let Some(first) = assumed.first() {
        let number = match assumed.len() {
            1 => "1 repository keeps".to_owned(),
            number => format!("{number} repositories keep"),
        };
        said.push(format!(
            "no template of `provision:` says how many versions {number}: {} is taken (`--keep`)",
            first.keep
        ));
    }
    let less: Vec<String> = repositories
        .iter()
        .filter(|repository| repository.stored.versions > repository.keep.into())
        .map(|repository| {
            format!("`{}` ({} of {})", repository.name, repository.keep, repository.stored.versions)
        })
        .collect();
    if !less.is_empty() {
        said.push(format!(
            "the policy would expire versions in use: it keeps too few of {}",
            less.join(", ")
        ));
    }
    said
}
