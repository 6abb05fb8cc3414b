//! Kustomizations that are text templates: a name in one never moves without the images that it matches.

use pullthru_core::migrate::Strategy;

use crate::pairs::{BASE, CONFIG, POD, plan_by, rendered};

const MOVED: [&str; 2] = ["base/pod.yaml → ECR/ghcr/o/app:dummy", "prod/TEMPLATE → ECR/ghcr/o/app:TAG"];

fn planned(strategy: Strategy, files: &[(&str, &str)]) -> Vec<String> {
    rendered(&plan_by(strategy, files, CONFIG, |_| true))
}

fn with_template(strategy: Strategy, name: &str, template: &str) -> Vec<String> {
    let path = format!("prod/{name}");
    planned(strategy, &[("base/pod.yaml", POD), ("base/kustomization.yaml", BASE), (&path, template)])
}

/// What the template draws from is written, or nothing says so: the name alone shows the pair.
#[test]
fn a_name_in_a_template_moves_together_with_what_it_matches() {
    let entry = "images:\n  - name: ghcr.io/o/app\n    newTag: ";
    let base = "resources:\n  - ../base\n";
    let cases = [
        ("kustomization.yaml.j2", format!("{base}{entry}{{{{ tag }}}}\n"), "{{ tag }}"),
        ("kustomization.yaml", format!("{base}{entry}{{{{ tag }}}}\n"), "{{ tag }}"),
        ("kustomization.yaml", format!("{{% if prod %}}\n{base}{{% endif %}}\n{entry}v1 # why\n"), "v1"),
        (
            "kustomization.yml.gotmpl",
            format!("{{{{- /* a\n b */}}}}\n{base}{entry}\"{{{{ .Tag }}}}\"\n"),
            "{{ .Tag }}",
        ),
        ("kustomization.yaml.tmpl", format!("resources: {{{{ .Bases | toJson }}}}\n{entry}v1\n"), "v1"),
        (
            "Kustomization.jinja",
            format!("resources:\n{{% for b in bases %}}\n  - {{{{ b }}}}\n{{% endfor %}}\n{entry}v1\n"),
            "v1",
        ),
        ("kustomization.yaml.template", format!("resources:\n  - ${{BASE}}\n{entry}v1\n"), "v1"),
        ("kustomization.yaml", format!("resources:\n  - ../${{BASE}}\n{entry}v1\n"), "v1"),
        // Two branches of a mapping.
        (
            "kustomization.yaml.j2",
            format!(
                "{base}{entry}v1\n{{% if x %}}\nnamespace: a\n{{% else %}}\nnamespace: b\n{{% endif %}}\n"
            ),
            "v1",
        ),
        ("kustomization.yaml", format!("{{{{ include \"head\" . }}}}\n{entry}v1\n"), "v1"),
    ];
    for (name, template, tag) in cases {
        for strategy in [Strategy::Inline, Strategy::Auto] {
            let expected = MOVED.map(|line| line.replace("TEMPLATE", name).replace("TAG", tag));
            assert_eq!(with_template(strategy, name, &template), expected, "{strategy:?} {template}");
        }
    }
}

/// A part of the name is computed, or nothing of the text can be read: neither moves.
#[test]
fn a_name_that_a_template_computes_keeps_the_images_that_it_may_match() {
    let base = "resources: [../base]\nimages:\n  - ";
    let names = [
        "name: {{ registry }}/o/app\n    newTag: v1\n",
        "name: \"{{ registry }}/o/app\"\n    newTag: v1\n",
        "name: ${REGISTRY}/o/app\n    newTag: v1\n",
        "name: {{ registry | default(\"ghcr.io\") }}/o/app\n    newTag: v1\n",
        "name: {{ image }}\n    newTag: v1\n",
        "newTag: v1\n    name: ghcr.io/o/{{ app }}\n",
        "name: ghcr.io/o/app{% if debug %}-debug{% endif %}\n    newTag: v1\n",
        // Not YAML without its statements, either.
        "name: ghcr.io/o/app\n   newTag: {{ tag }}\n  {% else %}: x\n",
    ];
    for name in names {
        for file in ["kustomization.yaml.j2", "kustomization.yaml"] {
            for strategy in [Strategy::Inline, Strategy::Auto, Strategy::Overlay] {
                let path = format!("prod/{file}");
                let template = format!("{base}{name}");
                let files = [("base/pod.yaml", POD), ("base/kustomization.yaml", BASE), (&path, &template)];
                let plan = plan_by(strategy, &files, CONFIG, |_| true);
                // An entry behind the one that is computed takes no tag from it.
                let renamed = plan.overlays.iter().any(|overlay| overlay.path.as_str() == path);
                assert!(
                    !renamed || file == "kustomization.yaml" && strategy != Strategy::Inline,
                    "{template}"
                );
                let planned = rendered(&plan);
                let kept = planned.iter().any(|line| {
                    line == "base/pod.yaml skipped: pair" || line == "base/pod.yaml skipped: blocked"
                });
                assert!(kept || renamed, "{strategy:?} {name}: {planned:#?}");
                assert!(!planned.iter().any(|line| line.contains('→')), "{strategy:?} {name}: {planned:#?}");
            }
        }
    }
}

/// What a computed name may be made of keeps its name with it; others move.
#[test]
fn values_of_a_computed_name_stay_with_the_images() {
    let template = "resources: [../base]\nimages:\n  - name: {{ image }}\n    newTag: v1\n";
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml.j2", template),
        ("vars.yaml", "image: ghcr.io/o/app\nother: ghcr.io/o/other:1\n"),
        ("registry.yaml", "x:\n  hub: ghcr.io/o\n"),
    ];
    assert_eq!(
        planned(Strategy::Inline, &files),
        [
            "base/pod.yaml skipped: pair",
            "registry.yaml skipped: pair",
            "vars.yaml skipped: pair",
            "vars.yaml → ECR/ghcr/o/other:1"
        ]
    );
}

/// An image that no name of the template can match is none of its business.
#[test]
fn other_images_move_as_ever() {
    let template = "images:\n  - name: {{ registry }}/o/other\n    newTag: v1\n";
    for (name, template) in [
        ("kustomization.yaml.j2", format!("resources: [../base]\n{template}")),
        ("kustomization.yaml.j2", format!("resources: [\"{{{{ base }}}}\"]\n{template}")),
        ("kustomization.yaml.j2", "resources: [\"{{ base }}\"]\nimages:\n- name: {{ any }}\n".to_owned()),
    ] {
        let planned = with_template(Strategy::Inline, name, &template);
        assert_eq!(planned, ["base/pod.yaml → ECR/ghcr/o/app:dummy"], "{template}");
    }
}

/// A plain kustomization over a template, and over manifests that are templates.
#[test]
fn a_name_moves_together_with_what_a_template_below_it_holds() {
    let overlay = "resources: [../base]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let templated = POD.replace("dummy", "{{ tag }}");
    let cases: [&[(&str, &str)]; 4] = [
        &[("base/pod.yaml", POD), ("base/kustomization.yaml.j2", BASE)],
        &[
            ("base/pod.yaml", POD),
            ("base/kustomization.yaml", "resources:\n{% for r in all %}\n- {{ r }}\n{% endfor %}\n"),
        ],
        &[("base/pod.yaml.j2", POD), ("base/kustomization.yaml", BASE)],
        &[("base/pod.yaml.tmpl", &templated), ("base/kustomization.yaml.tmpl", BASE)],
    ];
    for base in cases {
        let files = [base, &[("prod/kustomization.yaml", overlay)]].concat();
        for strategy in [Strategy::Inline, Strategy::Auto] {
            let plan = plan_by(strategy, &files, CONFIG, |_| true);
            let planned = rendered(&plan);
            let both = planned.len() == 2 && planned.iter().all(|line| line.contains("→"));
            // An entry of the one that stands above does it, too.
            let renamed =
                plan.overlays.iter().any(|overlay| overlay.path.as_str() == "prod/kustomization.yaml");
            let unchanged = !planned.iter().any(|line| line.contains("→"));
            assert!(both || renamed && unchanged, "{strategy:?} {files:?} {planned:#?}");
            assert!(both || strategy == Strategy::Auto, "{planned:#?}");
        }
    }
}

/// A program has written the kustomization beside its template.
#[test]
fn a_template_moves_with_what_became_of_it() {
    let made = "resources: [../base]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    let template = made.replace("v1", "{{ tag }}");
    let files = [
        ("base/pod.yaml", POD),
        ("base/kustomization.yaml", BASE),
        ("prod/kustomization.yaml", made),
        ("prod/kustomization.yaml.j2", &template),
    ];
    let planned = planned(Strategy::Inline, &files);
    assert_eq!(
        planned,
        [
            "base/pod.yaml → ECR/ghcr/o/app:dummy",
            "prod/kustomization.yaml → ECR/ghcr/o/app:v1",
            "prod/kustomization.yaml.j2 → ECR/ghcr/o/app:{{ tag }}"
        ]
    );
}

/// No entry is added where a template that draws from nobody knows what may match the old name.
#[test]
fn a_base_that_a_template_may_draw_from_is_not_renamed_by_entries() {
    let template = "resources: [\"{{ base }}\"]\nimages:\n  - name: ghcr.io/o/app\n    newTag: v1\n";
    for strategy in [Strategy::Auto, Strategy::Overlay] {
        let plan = plan_by(
            strategy,
            &[
                ("base/pod.yaml", POD),
                ("base/kustomization.yaml", BASE),
                ("prod/kustomization.yaml.j2", template),
            ],
            CONFIG,
            |_| true,
        );
        assert!(plan.overlays.is_empty(), "{strategy:?} {:#?}", plan.overlays);
    }
}

/// Objects whose path is computed, too.
#[test]
fn an_object_with_a_computed_path_moves_with_what_it_may_build() {
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: app}\nspec:\n  path: ./${PATH}\n  \
                images: [{name: ghcr.io/o/app, newTag: v1}]\n";
    let files = [("base/pod.yaml", POD), ("base/kustomization.yaml", BASE), ("flux/app.yaml", flux)];
    assert_eq!(
        planned(Strategy::Inline, &files),
        ["base/pod.yaml → ECR/ghcr/o/app:dummy", "flux/app.yaml → ECR/ghcr/o/app:v1"]
    );
}
