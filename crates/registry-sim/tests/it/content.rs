//! Content: true digests, real sizes, the same on every machine.

use registry_sim::{Artifact, Blob, Image, digest_of, media};
use serde_json::Value;

use crate::world::app;

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_same_calls_give_the_same_digests() {
    assert_eq!(app("v1").digest(), app("v1").digest());
    assert_ne!(app("v1").digest(), app("v2").digest());
    // Known values: whoever changes them changes every recorded digest of the demo.
    assert_eq!(
        Blob::layer("podinfo linux/amd64 0", 100_000).digest(),
        "sha256:58b2f68cec6c7eb7ec99484bf26be61b4caf149243c1b3a5be87e10fb85d18fa"
    );
    assert_eq!(
        Image::new("podinfo").platforms(["linux/amd64", "linux/arm/v7"]).attested().build().digest(),
        "sha256:41f38cbf551a13212d37b00864a0571dd252c8126bcbec8b27589a2ead41da71"
    );
}

#[test]
fn an_index_describes_its_platforms() {
    let image = Image::new("x").platforms(["linux/amd64", "linux/arm/v7"]).layers([10, 20]).build();
    let index = value(image.manifest().bytes());
    assert_eq!(index["manifests"][1]["platform"]["variant"], "v7");
    let manifest = image.platform("linux/arm/v7").unwrap();
    assert_eq!(index["manifests"][1]["digest"], manifest.digest());
    assert_eq!(digest_of(manifest.bytes()), manifest.digest());
    let layers: Vec<u64> = value(manifest.bytes())["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["size"].as_u64().unwrap())
        .collect();
    assert_eq!(layers, [10, 20]);
    assert_eq!(image.blobs().len(), 6, "a config and two layers for each platform");
}

#[test]
fn docker_images_have_dockers_types() {
    let image = Image::new("x").platforms(["linux/amd64"]).docker().build();
    assert_eq!(image.manifest().media_type(), media::DOCKER_LIST);
    let manifest = value(image.children()[0].1.bytes());
    assert_eq!(manifest["mediaType"], media::DOCKER_MANIFEST);
    assert_eq!(manifest["config"]["mediaType"], media::DOCKER_CONFIG);
    assert_eq!(manifest["layers"][0]["mediaType"], media::DOCKER_LAYER);
}

#[test]
fn attestations_are_children_of_no_platform() {
    let image = Image::new("x").platforms(["linux/amd64", "linux/arm64"]).attested().build();
    let index = value(image.manifest().bytes());
    let attestation = &index["manifests"][2];
    assert_eq!(attestation["platform"]["os"], "unknown");
    assert_eq!(attestation["annotations"]["vnd.docker.reference.digest"], index["manifests"][0]["digest"]);
}

#[test]
fn artifacts_are_distinguished_by_their_types() {
    let chart = value(Artifact::chart("podinfo", "6.7.0").manifest().bytes());
    assert_eq!(chart["config"]["mediaType"], media::HELM_CONFIG);
    assert_eq!(chart["layers"][0]["mediaType"], media::HELM_CHART);
    let flux = value(Artifact::flux("org/fleet", "main@sha1:abc").manifest().bytes());
    assert_eq!(flux["config"]["mediaType"], media::FLUX_CONFIG);
    assert_eq!(flux["annotations"]["org.opencontainers.image.revision"], "main@sha1:abc");
    let subject = app("v1");
    let bundle = value(Artifact::bundle(subject.manifest()).manifest().bytes());
    assert_eq!(
        (&bundle["artifactType"], &bundle["subject"]["digest"]),
        (&media::SIGSTORE_BUNDLE.into(), &subject.digest().into())
    );
    let signature = value(Artifact::signature(subject.manifest()).manifest().bytes());
    assert_eq!(signature["layers"][0]["mediaType"], media::COSIGN_PAYLOAD);
    assert!(signature.get("subject").is_none());
}

#[test]
fn single_manifests_have_no_children() {
    let image = Image::new("x").build();
    assert!(!image.manifest().is_index() && image.children().is_empty());
}
