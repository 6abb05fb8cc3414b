//! `bypasses-cache`.

use super::{Rule, about};
use crate::config::{RuleId, Severity};
use crate::find::{Form, Role};
use crate::lint::survey::{Bypass, Standing, Surveyed, Way};
use crate::lint::{Context, Finding, Fix, Related, Safety};
use crate::tree::shell_word;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::BypassesCache,
    summary: "An image is pulled from its upstream, and could go through the cache.",
    severity: Severity::Error,
    fix: "as `pullthru migrate` would: by the kustomizations that build it, else where it stands.",
    page: include_str!("bypasses_cache.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let references = context.survey.references.iter();
    let bypasses = references.filter_map(|surveyed| match &surveyed.standing {
        Standing::Bypasses(bypass) => Some(finding(context, surveyed, bypass)),
        _ => None,
    });
    bypasses.collect()
}

fn finding(context: &Context<'_>, surveyed: &Surveyed<'_>, bypass: &Bypass<'_>) -> Finding {
    let reference = surveyed.site.reference();
    let mut finding = about(&RULE, context, surveyed, format!("`{reference}` bypasses the cache"));
    finding.cached = bypass.cached.clone();
    let (path, safety) = (&surveyed.file.path, safety(surveyed, &bypass.way));
    let flag = if safety == Safety::Safe { "" } else { " --unsafe-fixes" };
    match &bypass.way {
        Way::Inline(change) => {
            let title = format!("name `{}`", change.to);
            let edits = change.edits.clone();
            finding.cached.get_or_insert_with(|| change.to.clone());
            finding.fix = Some(Fix { safety, title, edits, by: Vec::new() });
            let path = shell_word(path.as_str());
            finding.next = format!("`pullthru check --fix{flag} {path}` rewrites it where it stands");
        }
        Way::Overlay(by) => {
            let by: Vec<_> = by.iter().map(|path| (*path).clone()).collect();
            let names: Vec<String> = by.iter().map(|path| format!("`{path}`")).collect();
            let title = format!("rename it by `images:` of {}", names.join(", "));
            finding.next =
                format!("`pullthru check --fix{flag}` has `images:` of {} rename it", names.join(", "));
            finding.fix = Some(Fix { safety, title, edits: Vec::new(), by });
        }
        Way::Held(why) => {
            finding.next = format!("{}; `--strategy inline` rewrites it where it stands", why.explain());
        }
    }
    for (text, by) in surveyed.built.iter().filter(|(text, _)| *text != reference) {
        let text = format!("is built as `{text}`");
        let position = crate::tree::Position { line: 1, column: 1 };
        finding.related.push(Related { path: by.clone(), position, text });
    }
    finding
}

/// Files that a program writes again, texts that are no manifest, sources that need a login of their own, and names
/// that a marker would write back: somebody has to look at them. What an overlay renames stays as it is written.
fn safety(surveyed: &Surveyed<'_>, way: &Way<'_>) -> Safety {
    let site = surveyed.site;
    let text = matches!(site.form, Form::TemplateText | Form::TextLiteral | Form::DefaultExpression);
    let reverted = site.marker.is_some_and(|marker| marker.writes_name());
    let edited = matches!(way, Way::Inline(_));
    if edited && (surveyed.file.found.generated || text || site.role == Role::Artifact || reverted) {
        Safety::Unsafe
    } else {
        Safety::Safe
    }
}
