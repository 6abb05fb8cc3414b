//! `emit flux` for images that charts name: which values key sets which tag is proved by rendering, and Flux's own setter moves it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::flux_peers::peer;
use crate::golden::root;
use crate::scratch::{Run, Scratch};

const CACHE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/guild";

/// A chart that names its images itself: each key of its values does something else.
const TEMPLATES: &str = r#"apiVersion: v1
kind: Pod
metadata:
  name: bakery
  labels: {app.kubernetes.io/version: {{ .Values.oven.tag | quote }}}
  annotations: {checksum/values: {{ .Values | toJson | sha256sum }}}
spec:
  initContainers:
  - {name: warm, image: "{{ .Values.registry }}/guild/oven:{{ .Values.oven.tag }}"}
  containers:
  - {name: oven, image: "{{ .Values.registry }}/guild/oven:{{ .Values.oven.tag }}", args: ["--sidecar=ghcr.io/guild/oven:{{ .Values.oven.tag }}"]}
  - {name: one, image: "ghcr.io/guild/one:{{ .Values.both }}"}
  - {name: two, image: "ghcr.io/guild/two:{{ .Values.both }}"}
  - {name: probe, image: "ghcr.io/guild/probe:{{ .Values.probe.tag }}", env: [{name: URL, value: "https://probe.example/{{ .Values.probe.tag }}"}]}
  - {name: pinned, image: "ghcr.io/guild/pinned:{{ .Values.pinned.tag }}@sha256:{{ "x" | sha256sum }}"}
  - {name: fixed, image: "ghcr.io/guild/fixed:v7.0.0"}
  - {name: own, image: "ghcr.io/guild/own:v9.0.0"}
  - {name: number, image: "ghcr.io/guild/number:{{ .Values.numberTag }}"}
  - {name: quoted, image: "ghcr.io/guild/quoted:{{ .Values.quotedTag }}"}
  - {name: listed, image: "ghcr.io/guild/listed:{{ (index .Values.list 0).tag }}"}
  - {name: strict, image: "ghcr.io/guild/strict:{{ if semverCompare ">=1.0.0" .Values.strict }}{{ .Values.strict }}{{ end }}"}
  - {name: front, image: "ghcr.io/guild/front:v{{ .Values.front }}"}
  - {name: text, image: "ghcr.io/guild/text:{{ .Values.text }}"}
---
apiVersion: guild.example/v1
kind: Oven
metadata: {name: split}
spec:
  image: {repository: ghcr.io/guild/split, tag: {{ .Values.splitTag | quote }}}
"#;

/// Values that the chart has by itself.
const DEFAULTS: &str = "registry: ghcr.io\noven: {tag: v1.0.0}\nboth: v1.0.0\nprobe: {tag: v1.0.0}\npinned: {tag: v1.0.0}\nnumberTag: '1'\n\
                        quotedTag: '1'\nlist: [{tag: v1.0.0}]\nstrict: 1.0.0\nfront: 1.0.0\ntext: v1.0.0\nsplitTag: v1.0.0\n";

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: bakery, namespace: shops}
spec:
  chart:
    spec:
      chart: bakery
      version: 2.1.0
      sourceRef: {kind: HelmRepository, name: guild, namespace: shops}
  valuesFrom:
    - {kind: ConfigMap, name: values}
  values:
    oven:
      tag: v2.0.1
    both: v5.0.0
    probe:
      tag: v3.0.0
    pinned:
      tag: v6.0.0
    note: v7.0.0
    numberTag: 17
    quotedTag: \"1.9\"
    list:
      - tag: v8.0.1
    strict: 1.2.9
    front: 4.0.0
    splitTag: v2.5.0
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: guild, namespace: shops}
spec: {url: https://charts.guild.example}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: values, namespace: shops}
data:
  values.yaml: |
    text: v10.0.0
";

struct Shop {
    scratch: Scratch,
    /// Charts, and what is kept of them.
    charts: Scratch,
    helm: PathBuf,
}

impl Shop {
    fn new(helm: &str, release: &str) -> Shop {
        let scratch = Scratch::new(&[("apps/bakery.yaml", release.as_bytes())]);
        let charts = Scratch::new(&[
            ("charts/bakery/Chart.yaml", b"apiVersion: v2\nname: bakery\nversion: 2.1.0\n"),
            ("charts/bakery/values.yaml", DEFAULTS.as_bytes()),
            ("charts/bakery/templates/all.yaml", TEMPLATES.as_bytes()),
        ]);
        let helm = root().join("target/peers/bin").join(helm);
        assert!(helm.exists(), "{} is not there: run .ci/peers helm", helm.display());
        Shop { scratch, charts, helm }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let charts = self.charts.path().join("charts");
        let common = ["--account", "123456789012", "--region", "ca-central-1", "--offline", "--chart-dir"];
        let all = [arguments, &common, &[charts.to_str().unwrap()]].concat();
        let mut command: Command = self.scratch.command(&all);
        command.env("PULLTHRU_CHARTS", "auto").env("PULLTHRU_HELM", &self.helm);
        Run::from(command.env("XDG_CACHE_HOME", self.charts.path().join("cache")).output().unwrap())
    }

    fn emit(&self, more: &[&str]) -> Run {
        let run = self.run(&[&["emit", "flux", "--out", "auto", "--markers"], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        run
    }

    fn images(&self) -> BTreeSet<String> {
        let run = self.run(&["emit", "list"]);
        assert_eq!(run.code, 0, "{}", run.err);
        run.out.lines().map(str::to_owned).collect()
    }
}

fn marker(image: &str) -> String {
    format!(" # {{\"$imagepolicy\": \"flux-system:ghcr-io.guild.{image}:tag\"}}")
}

#[test]
#[ignore = "needs helm and target/peers/bin/flux-setter: .ci/peers helm, .ci/peers flux"]
fn helm_shows_which_values_hold_the_tags_that_flux_then_sets() {
    for helm in ["helm3", "helm4"] {
        let shop = Shop::new(helm, RELEASE);
        let run = shop.emit(&[]);
        let marked = [
            ("      tag: v2.0.1", "oven"),
            ("    numberTag: 17", "number"),
            ("    quotedTag: \"1.9\"", "quoted"),
            ("      - tag: v8.0.1", "listed"),
            ("    strict: 1.2.9", "strict"),
            ("    splitTag: v2.5.0", "split"),
        ];
        let expected = marked.iter().fold(RELEASE.to_owned(), |text, (line, image)| {
            text.replace(&format!("{line}\n"), &format!("{line}{}\n", marker(image)))
        });
        assert_eq!(shop.scratch.read("apps/bakery.yaml"), expected, "{}", run.err);
        let mut objects: Vec<String> = fs::read_dir(shop.scratch.path().join("auto"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        objects.sort();
        let of = ["listed", "number", "oven", "quoted", "split", "strict", "text"];
        let mut files: Vec<String> = of.iter().map(|image| format!("ghcr-io.guild.{image}.yaml")).collect();
        files.push("kustomization.yaml".to_owned());
        assert_eq!(objects, files);
        let oven = shop.scratch.read("auto/ghcr-io.guild.oven.yaml");
        assert!(
            oven.contains(&format!("image: {CACHE}/oven\n")) && oven.contains("range: '>=2.0.1'"),
            "{oven}"
        );
        for note in [
            "no objects for ghcr.io/guild/one: `both` of apps/bakery.yaml holds such a tag, but it sets the tag of several images \
             (ghcr.io/guild/one, ghcr.io/guild/two)",
            "no objects for ghcr.io/guild/probe: `probe.tag` of apps/bakery.yaml holds such a tag, but with another tag there, ",
            "no objects for ghcr.io/guild/pinned: `pinned.tag` of apps/bakery.yaml holds such a tag, but ghcr.io/guild/pinned is pinned",
            "no objects for ghcr.io/guild/fixed: `note` of apps/bakery.yaml holds such a tag, but it sets no tag of an image",
            "no objects for ghcr.io/guild/front, ghcr.io/guild/own: the chart sets the tag, and no field here holds one",
            "ghcr/guild/text:v10.0.0: no marker: the value stands in a text",
        ] {
            assert!(run.err.contains(note), "{note}\n{}", run.err);
        }
        let before = shop.images();
        assert_eq!(shop.emit(&["--prune"]).out, "", "a second run writes something");
        // Flux's own setter, with a newer tag of each image.
        let newer = [
            ("oven", "v2.1.0"),
            ("quoted", "1.10"),
            ("number", "18"),
            ("listed", "v8.0.2"),
            ("strict", "1.3.0"),
            ("split", "v2.10.0"),
        ];
        let latest: Vec<Value> = newer
            .iter()
            .map(|(image, tag)| {
                json!({"policy": format!("flux-system:ghcr-io.guild.{image}"), "name": format!("{CACHE}/{image}"), "tag": tag})
            })
            .collect();
        peer("flux-setter", &[&shop.scratch.path().join("apps").display().to_string()], &json!(latest));
        let after = shop.images();
        let moved = newer.iter().zip(["v2.0.1", "1.9", "17", "v8.0.1", "1.2.9", "v2.5.0"]);
        let expected: BTreeSet<String> = moved.fold(before, |mut images, ((image, new), old)| {
            assert!(images.remove(&format!("ghcr.io/guild/{image}:{old}")), "{image}: {images:?}");
            images.insert(format!("ghcr.io/guild/{image}:{new}"));
            images
        });
        assert_eq!(after, expected);
        assert_eq!(shop.emit(&[]).err.matches("updater-reverts").count(), 0);
    }
}

/// Values that several releases take are those of one image for each of them, or they are left alone.
#[test]
#[ignore = "needs helm: .ci/peers helm"]
fn helm_shows_tags_for_all_releases_that_take_them() {
    let shop = Shop::new(
        "helm4",
        RELEASE
            .replace("ConfigMap, name: values}", "ConfigMap, name: shared}")
            .split("---\napiVersion: v1\n")
            .next()
            .unwrap(),
    );
    let other = |key: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: other, namespace: shops}}\nspec:\n  chart: {{spec: \
             {{chart: other, version: 1.0.0, sourceRef: {{kind: HelmRepository, name: guild}}}}}}\n  valuesFrom: [{{kind: ConfigMap, name: \
             shared}}]\n  values: {{key: {key}}}\n"
        )
    };
    shop.scratch.write("apps/values.yaml", b"text: v10.0.0\n");
    shop.scratch.write(
        "apps/kustomization.yaml",
        b"namespace: shops\nresources: [bakery.yaml, other.yaml]\ngeneratorOptions: {disableNameSuffixHash: true}\n\
          configMapGenerator: [{name: shared, files: [values.yaml]}]\n",
    );
    shop.charts.write("charts/other/Chart.yaml", b"apiVersion: v2\nname: other\nversion: 1.0.0\n");
    let template = |image: &str| {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: other}}\nspec: {{containers: [{{name: a, image: \"ghcr.io/guild/{image}:{{{{ .Values.text }}}}\"}}]}}\n"
        );
        shop.charts.write("charts/other/templates/pod.yaml", text.as_bytes());
    };
    shop.scratch.write("apps/other.yaml", other("a").as_bytes());
    template("another");
    let run = shop.emit(&[]);
    assert_eq!(shop.scratch.read("apps/values.yaml"), "text: v10.0.0\n", "{}", run.err);
    assert!(run.err.contains("takes it, too, and sets another image with it"), "{}", run.err);
    assert!(!shop.scratch.path().join("auto/ghcr-io.guild.text.yaml").exists());
    template("text");
    let run = shop.emit(&[]);
    assert_eq!(
        shop.scratch.read("apps/values.yaml"),
        format!("text: v10.0.0{}\n", marker("text")),
        "{}",
        run.err
    );
    assert_eq!(shop.emit(&["--prune"]).out, "");
}

/// Without a render nothing is proved: no object is made, and none that was made is taken for gone.
#[test]
#[ignore = "needs helm: .ci/peers helm"]
fn helm_is_named_where_a_render_would_tell() {
    let shop = Shop::new("helm4", RELEASE);
    assert_eq!(shop.run(&["charts", "lock"]).code, 0);
    let without = |more: &[&str]| {
        let run = shop
            .scratch
            .run(&[&["emit", "flux", "--out", "auto", "--markers", "--charts", "lock"], more].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        run
    };
    let run = without(&[]);
    assert_eq!(run.out, "", "{}", run.err);
    let note = "no objects for ghcr.io/guild/oven: `oven.tag` of apps/bakery.yaml holds such a tag, but what it sets is known by a render: \
                `--charts auto`, with helm installed";
    assert!(run.err.contains(note), "{}", run.err);
    shop.emit(&[]);
    let written = shop.scratch.contents();
    let run = without(&["--prune"]);
    assert_eq!(run.out, "", "{}", run.err);
    assert!(
        run.err.contains("`ImagePolicy/ghcr-io.guild.oven` is unchanged: nothing that was seen asks for it"),
        "{}",
        run.err
    );
    assert!(shop.scratch.contents() == written);
    // With the release gone nothing is unseen.
    fs::remove_file(shop.scratch.path().join("apps/bakery.yaml")).unwrap();
    fs::remove_file(shop.scratch.path().join("pullthru-images.lock.json")).unwrap();
    let run = without(&["--prune"]);
    assert!(run.out.contains("removed auto/ghcr-io.guild.oven.yaml"), "{} {}", run.out, run.err);
    assert!(!Path::new(&shop.scratch.path().join("auto/ghcr-io.guild.text.yaml")).exists());
}
