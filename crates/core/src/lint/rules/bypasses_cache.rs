//! `bypasses-cache`.

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Form, Role};
use crate::lint::references::{Planned, Reference};
use crate::lint::{Context, Finding, Fix, Related, Safety};
use crate::tree::shell_word;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::BypassesCache,
    summary: "An image is pulled from its upstream, and could go through the cache.",
    severity: Severity::Error,
    fix: "as `pullthru migrate` would: by the kustomizations that build it, else in place.",
    page: include_str!("bypasses_cache.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let moves = |reference: &&Reference<'_>| {
        matches!(reference.planned, Planned::Inline(_) | Planned::Overlay(_) | Planned::Blocked(_))
    };
    context.references.iter().filter(moves).map(|reference| finding(context, reference)).collect()
}

fn finding(context: &Context<'_>, reference: &Reference<'_>) -> Finding {
    let written = reference.site.reference();
    let mut finding = about(&RULE, context, reference, format!("`{written}` bypasses the cache"));
    finding.cached = reference.cached.clone();
    let (path, safety) = (&reference.file.path, safety(reference));
    let flag = if safety == Safety::Safe { "" } else { " --unsafe-fixes" };
    match &reference.planned {
        Planned::Inline(change) => {
            let title = format!("name `{}`", change.to);
            let edits = change.edits.clone();
            finding.cached.get_or_insert_with(|| change.to.clone());
            finding.fix = Some(Fix::by_edits(safety, title, edits));
            let path = shell_word(path.as_str());
            finding.next = format!("`pullthru check --fix{flag} {path}` edits it in place");
        }
        Planned::Overlay(by) => {
            let by: Vec<_> = by.iter().map(|path| (*path).clone()).collect();
            let names: Vec<String> = by.iter().map(|path| format!("`{path}`")).collect();
            let title = format!("rename it by `images:` of {}", names.join(", "));
            finding.next =
                format!("`pullthru check --fix{flag}` has `images:` of {} rename it", names.join(", "));
            finding.fix = Some(Fix { by, ..Fix::by_edits(safety, title, Vec::new()) });
        }
        Planned::Blocked(Some(why)) => {
            finding.next = format!("{}; `--strategy inline` edits it in place", why.explain());
        }
        Planned::Blocked(None) | Planned::Nothing | Planned::Skipped(_) => {
            finding.next =
                "no `images:` renames what is built: name the cache in the entry that sets it".to_owned();
        }
    }
    for built in reference.built.iter().filter(|built| built.text != written) {
        let text = format!("is built as `{}`", built.text);
        let position = crate::tree::Position::START;
        finding.related.push(Related { path: built.by.clone(), position, text });
    }
    finding
}

/// Files that a program writes again, texts that are no manifest, sources that need a login of their own, and names
/// that a marker would write back: somebody has to look at them. What an overlay renames stays as it is written.
fn safety(reference: &Reference<'_>) -> Safety {
    let site = reference.site;
    let text = matches!(site.form, Form::TemplateText | Form::TextLiteral | Form::DefaultExpression);
    let reverted = site.marker.is_some_and(|marker| marker.writes_name());
    let edited = matches!(reference.planned, Planned::Inline(_));
    if edited && (reference.file.found.generated || text || site.role == Role::Artifact || reverted) {
        Safety::Unsafe
    } else {
        Safety::Safe
    }
}
