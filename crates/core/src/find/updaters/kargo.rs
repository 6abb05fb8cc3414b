//! Kargo: the steps of its stages and promotion tasks that write names of images.

use std::collections::HashMap;
use std::ops::Range;

use super::updated::{Expression, Named, Reader, Write};
use crate::find::site::Object;
use crate::yaml::{FieldPath, NodeId, Span};

/// The group of its objects.
pub(super) const GROUP: &str = "kargo.akuity.io";

impl Reader<'_, '_> {
    /// The steps in the last of these mappings, with the variables of all and of each step.
    pub(super) fn promotion(&mut self, object: &Object, root: NodeId, ways: &[&[&str]]) {
        let mut variables = Variables::new();
        for way in ways {
            self.variables(root, &[way, ["vars"].as_slice()].concat(), &mut variables);
        }
        let steps = ways.last().map(|way| [way, ["steps"].as_slice()].concat()).unwrap_or_default();
        for &step in self.items(root, &steps).to_vec().iter() {
            let mut variables = variables.clone();
            self.variables(step, &["vars"], &mut variables);
            self.step(object, step, &variables);
        }
    }

    /// Adds those of a list whose values are written there.
    fn variables(&self, at: NodeId, way: &[&str], variables: &mut Variables) {
        for &item in self.items(at, way) {
            if let (Some(name), Some(value)) = (self.text(item, &["name"]), self.text(item, &["value"])) {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn step(&mut self, object: &Object, step: NodeId, variables: &Variables) {
        let items = |key: &str| self.items(step, &["config", key]).to_vec();
        match self.text(step, &["uses"]) {
            Some("kustomize-set-image") => {
                items("images").into_iter().for_each(|image| self.set_image(object, image, variables));
            }
            Some("helm-update-image") => {
                items("images").into_iter().for_each(|image| self.helm_image(object, image, variables));
            }
            Some("yaml-update") => {
                items("updates").into_iter().for_each(|update| self.yaml_update(object, update, variables));
            }
            _ => {}
        }
    }

    fn set_image(&mut self, object: &Object, image: NodeId, variables: &Variables) {
        let stream = self.stream;
        let keys = ["name", "newName"].map(|key| FieldPath::from(&[key]));
        let Some(at) = stream.get(image, "image") else { return };
        let Some(text) = stream.value(at) else { return };
        let Some(name) = value_of(text, variables) else { return };
        let matched = self.text(image, &["name"]).filter(|matched| !matched.is_empty());
        let Some(matched) = matched.map_or(Some(name), |matched| value_of(matched, variables)) else {
            return;
        };
        let new_name = self.text(image, &["newName"]).map(str::to_owned);
        let write = Write::KustomizeSetImage { matched: matched.to_owned(), new_name };
        let named = Named {
            at,
            name: Span::new(0, text.len()),
            within: image,
            keys: &keys,
            variable: variable(text),
        };
        self.push(object, name, write, &named);
    }

    fn helm_image(&mut self, object: &Object, image: NodeId, variables: &Variables) {
        let stream = self.stream;
        let Some(at) = stream.get(image, "image") else { return };
        let Some(text) = stream.value(at) else { return };
        let Some(name) = value_of(text, variables) else { return };
        let by_digest = match self.text(image, &["value"]) {
            Some("ImageAndTag") => false,
            Some("ImageAndDigest") => true,
            _ => return,
        };
        let key = self.text(image, &["key"]).unwrap_or("KEY").to_owned();
        let named =
            Named { at, name: Span::new(0, text.len()), within: image, keys: &[], variable: variable(text) };
        self.push(object, name, Write::HelmUpdateImage { key, by_digest }, &named);
    }

    fn yaml_update(&mut self, object: &Object, update: NodeId, variables: &Variables) {
        let stream = self.stream;
        let Some(at) = stream.get(update, "value") else { return };
        let Some(value) = stream.value(at) else { return };
        for (expression, argument) in expressions(value) {
            let Range { start, end } = expression.range;
            let variable = argument.strip_prefix(VARIABLES);
            let known = |of: &str| variables.get(of).map(String::as_str);
            let Some(name) = variable.map_or(Some(argument), known) else { continue };
            let named = Named { at, name: Span::new(start, end), within: update, keys: &[], variable };
            self.push(object, name, Write::YamlUpdate { value: value.to_owned(), expression }, &named);
        }
    }
}

/// Variables of a promotion whose values are written in the file.
type Variables = HashMap<String, String>;

/// How expressions of Kargo name a variable.
const VARIABLES: &str = "vars.";

/// The variable that a text is, and nothing else: `${{ vars.image }}`.
fn variable(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim().strip_prefix(VARIABLES)
}

/// A text, or what the variable holds that it is; `None` where that is not written here.
fn value_of<'v>(text: &'v str, variables: &'v Variables) -> Option<&'v str> {
    variable(text).map_or(Some(text), |of| variables.get(of).map(String::as_str))
}

/// Each `imageFrom("NAME").RepoURL` within `${{ … }}`, with its name.
fn expressions(text: &str) -> Vec<(Expression, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find("${{")).map(|found| at + found) {
        let Some(length) = text.get(start..).and_then(|rest| rest.find("}}")) else { break };
        let block = start..start + length + 2;
        let mut from = start;
        while let Some(call) =
            text.get(from..block.end).and_then(|rest| rest.find(CALL)).map(|found| from + found)
        {
            from = call + CALL.len();
            let Some((name, quote, end)) = argument(text, from, block.end) else { continue };
            let alone = text.get(start + 3..call).is_some_and(|before| before.trim().is_empty())
                && text.get(end..block.end - 2).is_some_and(|after| after.trim().is_empty());
            let expression = match alone {
                true => Expression { range: block.clone(), quote: None },
                false => Expression { range: call..end, quote: Some(quote) },
            };
            found.push((expression, name));
            from = end;
        }
        at = block.end;
    }
    found
}

const CALL: &str = "imageFrom(";
const URL: &str = ".RepoURL";

/// The name that a call is given, or the variable that holds it, its quote, and where `.RepoURL` ends behind the call; none where something else follows.
fn argument(text: &str, from: usize, end: usize) -> Option<(&str, char, usize)> {
    let rest = text.get(from..end)?;
    let inner = rest.trim_start();
    let quoted = inner.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let (name, quote, quotes) = match quoted {
        Some(quote) => (inner.get(1..)?.split(quote).next()?, quote, 2),
        None => (inner.split([',', ')', ' ']).next().filter(|name| name.starts_with(VARIABLES))?, '"', 0),
    };
    let behind = rest.len() - inner.len() + name.len() + quotes;
    let url = rest.get(behind..)?.find(URL)?;
    let between = rest.get(behind..behind + url)?.trim();
    let is_call = between == ")"
        || between.starts_with(',')
            && between.ends_with(')')
            && !between.contains(CALL)
            && !between.contains('+');
    is_call.then_some((name, quote, from + behind + url + URL.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_kargo_that_take_the_name_are_distinguished() {
        let found = |text| -> Vec<(String, String)> {
            let replaced = |(expression, name): (Expression, &str)| {
                let mut text = str::to_owned(text);
                text.replace_range(expression.range.clone(), &expression.replacement("CACHE"));
                (name.to_owned(), text)
            };
            expressions(text).into_iter().map(replaced).collect()
        };
        let one = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        assert_eq!(
            found("${{ vars.host }}/x:${{ imageFrom('ghcr.io/o/a').RepoURL }}:v"),
            one("ghcr.io/o/a", "${{ vars.host }}/x:CACHE:v")
        );
        // The rest of a longer expression stays.
        assert_eq!(
            found(
                "${{ imageFrom('ghcr.io/o/a', warehouse('w')).RepoURL + ':' + imageFrom('ghcr.io/o/a').Tag }}"
            ),
            one("ghcr.io/o/a", "${{ 'CACHE' + ':' + imageFrom('ghcr.io/o/a').Tag }}")
        );
        assert_eq!(
            found("${{ imageFrom('quay.io/o/b').Tag + imageFrom(\"ghcr.io/o/a\").RepoURL }}"),
            one("ghcr.io/o/a", "${{ imageFrom('quay.io/o/b').Tag + \"CACHE\" }}")
        );
        for text in [
            "${{ imageFrom('ghcr.io/o/a').Tag }}",
            "imageFrom('a').RepoURL",
            "${{ imageFrom(",
            "${{ imageFrom('",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
