//! What an updater has to be told so that it writes the cache's name: the lines for people, and the edits that write them.

use super::NewKey;
use crate::find::{KUSTOMIZE_NAME, Place, Target, UpdatedImage, Write, annotation, own_alias};
use crate::image::Name;
use crate::yaml::{Edit, FieldPath};

/// What is to be written, and how.
pub(super) struct Advice {
    /// As they stand in the file afterwards.
    pub(super) lines: Vec<String>,
    /// The edits, else why a person has to make them.
    pub(super) edits: Result<(Vec<Edit>, Vec<NewKey>), String>,
}

/// A key beside the name, and its value.
type Key = (FieldPath, String);

/// How the image is called `cached` after what the updater writes; kustomizations match it by `matched`.
pub(super) fn advice(image: &UpdatedImage, cached: &str, matched: &str) -> Advice {
    match &image.write {
        Write::Object { constraint, target } => {
            let key = renamed(target, cached, matched)
                .then(|| (FieldPath::from(&KUSTOMIZE_NAME), matched.to_owned()));
            let line = format!("imageName: {cached}{constraint}");
            replaced(image, line, cached.to_owned(), key.into_iter().collect())
        }
        Write::Annotation { .. } => of_annotation(image, cached, matched),
        Write::KustomizeSetImage { matched: named, new_name } => {
            let key = |key: &str, value: &str| (FieldPath::from(&[key]), value.to_owned());
            let name = (named != matched).then(|| key("name", matched));
            // An entry without `newName` leaves the name that it matched.
            let written = new_name.as_deref().unwrap_or(matched);
            let is_own =
                new_name.as_ref().is_none_or(|name| Name::parse(name).is_ok_and(|name| name == image.name));
            let new_name = (written != cached).then(|| key("newName", cached));
            if new_name.is_some() && !is_own {
                let lines = name.iter().chain(&new_name).map(line_of).collect();
                return Advice { lines, edits: Err("its `newName` is another one already".to_owned()) };
            }
            added(image, name.into_iter().chain(new_name).collect())
        }
        // This step has no value with another name; that of `yaml-update` is free.
        Write::HelmUpdateImage { key, by_digest } => {
            let found = &image.name;
            let version = match by_digest {
                true => format!("@${{{{ imageFrom(\"{found}\").Digest }}}}"),
                false => format!(":${{{{ imageFrom(\"{found}\").Tag }}}}"),
            };
            let lines = vec![
                "uses: yaml-update".to_owned(),
                format!("updates: [{{key: {key}, value: '{cached}{version}'}}]"),
            ];
            Advice { lines, edits: Err("the step has to become another one".to_owned()) }
        }
        Write::YamlUpdate { value, expression } => {
            let name = expression.replacement(cached);
            let mut line = value.clone();
            if line.get(expression.range.clone()).is_some() {
                line.replace_range(expression.range.clone(), &name);
            }
            replaced(image, format!("value: {line}"), name, Vec::new())
        }
    }
}

/// The lines by which a promotion goes on writing the cache's name, once its Warehouse names the upstream.
pub(super) fn promoted(image: &UpdatedImage, cached: &str, upstream: &Name) -> Vec<String> {
    match &image.write {
        Write::KustomizeSetImage { matched, new_name } => {
            let mut lines = vec![format!("image: {upstream}")];
            // It matches the name of the image, where it has none of its own.
            lines.extend((matched == cached).then(|| format!("name: {cached}")));
            lines.extend(new_name.is_none().then(|| format!("newName: {cached}")));
            lines
        }
        Write::HelmUpdateImage { .. } => {
            advice(&UpdatedImage { name: upstream.clone(), ..image.clone() }, cached, cached).lines
        }
        Write::YamlUpdate { value, expression } => {
            let mut value = value.clone();
            if value.get(expression.range.clone()).is_some() {
                value.replace_range(expression.range.clone(), &expression.replacement(cached));
            }
            let call = |quote: char, name: &str| format!("imageFrom({quote}{name}{quote}");
            let found = |value: String, quote: char| {
                value.replace(&call(quote, cached), &call(quote, &upstream.to_string()))
            };
            vec![format!("value: {}", ['"', '\''].into_iter().fold(value, found))]
        }
        Write::Object { .. } | Write::Annotation { .. } => Vec::new(),
    }
}

/// Does a kustomization match another name than the updater would take?
fn renamed(target: &Target, cached: &str, matched: &str) -> bool {
    matches!(target, Target::Kustomize(name) if name.as_deref().unwrap_or(cached) != matched)
}

fn of_annotation(image: &UpdatedImage, cached: &str, matched: &str) -> Advice {
    let Write::Annotation { alias, constraint, target, before, after } = &image.write else {
        return Advice { lines: Vec::new(), edits: Err(String::new()) };
    };
    let is_renamed = renamed(target, cached, matched);
    let known = alias.clone().unwrap_or_else(|| own_alias(cached));
    // Without an alias there is no annotation of the image alone.
    let with_alias = match alias {
        Some(_) => cached.to_owned(),
        None if is_renamed => format!("{known}={cached}"),
        None => cached.to_owned(),
    };
    let item = alias.as_ref().map_or(with_alias.clone(), |alias| format!("{alias}={cached}"));
    let line = format!("{}: {before}{item}{constraint}{after}", annotation("image-list"));
    let name = annotation(&format!("{known}.kustomize.image-name"));
    let key = is_renamed.then(|| (FieldPath::from(vec![name.as_str().into()]), matched.to_owned()));
    let is_taken = |list: &str| list.split(',').any(|item| item.split('=').next() == Some(known.as_str()));
    if alias.is_none() && is_renamed && (is_taken(before) || is_taken(after)) {
        let lines = [line].into_iter().chain(key.iter().map(line_of)).collect();
        return Advice { lines, edits: Err(format!("the alias `{known}` is taken by another image")) };
    }
    replaced(image, line, with_alias, key.into_iter().collect())
}

/// The name becomes `name`, in the line that is shown, and keys are set beside it.
fn replaced(image: &UpdatedImage, line: String, name: String, keys: Vec<Key>) -> Advice {
    let lines = [line].into_iter().chain(keys.iter().map(line_of)).collect();
    let edit = |place: &Place| vec![Edit { span: place.name, text: name.clone() }];
    Advice {
        lines,
        edits: image.place.as_ref().map(|place| (edit(place), placed(place, &keys))).map_err(Clone::clone),
    }
}

/// Keys are set beside the name.
fn added(image: &UpdatedImage, keys: Vec<Key>) -> Advice {
    let lines = keys.iter().map(line_of).collect();
    let edits = image.place.as_ref().map(|place| (Vec::new(), placed(place, &keys))).map_err(Clone::clone);
    Advice { lines, edits }
}

fn placed(place: &Place, keys: &[Key]) -> Vec<NewKey> {
    let key = |(path, value): &Key| NewKey {
        document: place.keys.document,
        path: place.keys.path.clone().join(path),
        value: value.clone(),
    };
    keys.iter().map(key).collect()
}

fn line_of((path, value): &Key) -> String {
    let shown: Vec<&str> = path.steps().iter().filter_map(|step| step.key()).collect();
    format!("{}: {value}", shown.join("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};
    use crate::find::{Finder, Hosts};
    use crate::lint::fix::rewritten;
    use crate::lint::{Fix, Safety};

    const CACHE: &str = "CACHE/org/app";

    /// What is advised for each image, each with the file after it; the image is matched by its upstream's name.
    fn advised(text: &str, matched: Option<&str>) -> Vec<(Vec<String>, Result<String, String>)> {
        let config = Config::load(None, &Overrides::default()).unwrap();
        let hosts = Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap();
        let found = Finder::new(hosts).find("a.yaml", text.as_bytes());
        let after = |image: &UpdatedImage| {
            let Advice { lines, edits } = advice(image, CACHE, matched.unwrap_or(&image.name.to_string()));
            let new = edits.map(|(edits, keys)| {
                let fix = Fix { keys, ..Fix::by_edits(Safety::Safe, String::new(), edits) };
                rewritten(text, &[&fix]).unwrap()
            });
            (lines, new)
        };
        found.updated.iter().map(after).collect()
    }

    fn check(text: &str, matched: Option<&str>, wanted: &[Result<&str, &str>]) {
        let found: Vec<_> = advised(text, matched).into_iter().map(|(_, new)| new).collect();
        let wanted: Vec<_> = wanted.iter().map(|one| one.map(str::to_owned).map_err(str::to_owned)).collect();
        assert_eq!(found, wanted);
    }

    const ANNOTATIONS: &str =
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: a\n  annotations:\n";
    const START: &str = "    argocd-image-updater.argoproj.io";

    #[test]
    fn items_of_an_annotation_keep_the_others() {
        let list = |value: &str| format!("{ANNOTATIONS}{START}/image-list: {value}\nspec: {{}}\n");
        let with = |value: &str, name: &str| {
            format!("{ANNOTATIONS}{START}/image-list: {value}\n{START}/{name}\nspec: {{}}\n")
        };
        check(
            &list("\"web=ghcr.io/org/app:>=1.2,  db=quay.io/org/db\" # both"),
            None,
            &[
                Ok(&with(
                    "\"web=CACHE/org/app:>=1.2,  db=quay.io/org/db\" # both",
                    "web.kustomize.image-name: ghcr.io/org/app",
                )),
                Ok(&with(
                    "\"web=ghcr.io/org/app:>=1.2,  db=CACHE/org/app\" # both",
                    "db.kustomize.image-name: quay.io/org/db",
                )),
            ],
        );
        check(
            &list("localhost:5000/org/app"),
            None,
            &[Ok(&with("app=CACHE/org/app", "app.kustomize.image-name: localhost:5000/org/app"))],
        );
        // What is called so in the manifests needs no other name, and what a chart reads none at all.
        check(&list("ghcr.io/org/app:1"), Some(CACHE), &[Ok(&list("CACHE/org/app:1"))]);
        let helm = format!("a=ghcr.io/org/app\n{START}/a.helm.image-tag: tag");
        check(&list(&helm), None, &[Ok(&list(&helm.replace("ghcr.io", "CACHE")))]);
        // In a block, over several lines.
        let block = |host: &str, more: &str| {
            format!(
                "{ANNOTATIONS}{START}/image-list: |\n      a={host}/org/app,\n      b=quay.io/org/b\n{more}spec: {{}}\n"
            )
        };
        let name = format!("{START}/a.kustomize.image-name: ghcr.io/org/app\n");
        let found = advised(&block("ghcr.io", ""), None);
        assert_eq!(found.first().unwrap().1, Ok(block("CACHE", &name)));
    }

    #[test]
    fn what_other_places_share_is_for_a_person() {
        let taken = format!("{ANNOTATIONS}{START}/image-list: app=quay.io/o/x,ghcr.io/org/app\n");
        let found = advised(&taken, None);
        assert_eq!(found.get(1).unwrap().1, Err("the alias `app` is taken by another image".to_owned()));
        let anchored = ANNOTATIONS.replace("annotations:\n", "annotations: &all\n");
        let anchored = format!("{anchored}{START}/image-list: a=ghcr.io/org/app\n");
        check(&anchored, None, &[Err("it has an anchor: other places would change with it")]);
    }

    const KARGO: &str = "apiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {name: s}\nspec:\n  promotionTemplate:\n    \
                         spec:\n      steps:\n";

    #[test]
    fn steps_of_kargo_gain_the_keys_that_they_lack() {
        let step = |image: &str| {
            format!(
                "{KARGO}      - uses: kustomize-set-image\n        config:\n          images:\n          - {image}\n"
            )
        };
        let tag = "\n            tag: ${{ imageFrom(\"ghcr.io/org/app\").Tag }}";
        let image = format!("image: ghcr.io/org/app{tag} # the newest");
        check(&step(&image), None, &[Ok(&step(&format!("{image}\n            newName: CACHE/org/app")))]);
        check(&step(&image), Some(CACHE), &[Ok(&step(&format!("{image}\n            name: CACHE/org/app")))]);
        check(
            &step("{image: ghcr.io/org/app, newName: 'ghcr.io/org/app'}"),
            None,
            &[Ok(&step("{image: ghcr.io/org/app, newName: 'CACHE/org/app'}"))],
        );
        check(
            &step("{image: ghcr.io/org/app, name: app}"),
            Some("app"),
            &[Ok(&step("{image: ghcr.io/org/app, name: app, newName: CACHE/org/app}"))],
        );
    }

    #[test]
    fn another_name_that_a_step_gives_is_for_a_person() {
        let step = |name: &str| {
            format!(
                "{KARGO}      - uses: kustomize-set-image\n        config:\n          images:\n          - image: ghcr.io/org/app\n            newName: {name}\n"
            )
        };
        for name in ["${{ vars.repository }}", "harbor.example.com/org/app"] {
            check(&step(name), None, &[Err("its `newName` is another one already")]);
        }
    }

    #[test]
    fn expressions_become_the_name() {
        let step = |value: &str| {
            format!(
                "{KARGO}      - uses: yaml-update\r\n        config:\r\n          updates:\r\n          - value: {value}\r\n"
            )
        };
        check(
            &step("${{ imageFrom(\"ghcr.io/org/app\").RepoURL }}:${{ imageFrom(\"ghcr.io/org/app\").Tag }}"),
            Some(CACHE),
            &[Ok(&step("CACHE/org/app:${{ imageFrom(\"ghcr.io/org/app\").Tag }}"))],
        );
        check(
            &step("'${{ imageFrom(''ghcr.io/org/app'').RepoURL }}'"),
            Some(CACHE),
            &[Err("the name is written with escapes, or over several lines")],
        );
    }
}
