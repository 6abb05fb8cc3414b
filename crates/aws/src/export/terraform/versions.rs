//! `versions.tf`: the lowest versions that have what the module uses.

use super::Module;
use crate::export::hcl::{Expr, Item};
use crate::resource::Mutability;

/// Write-only arguments came with this version of Terraform.
const TERRAFORM: &str = ">= 1.11.0";

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let provider = Expr::Object(vec![
        ("source".to_owned(), Expr::text("hashicorp/aws")),
        ("version".to_owned(), Expr::text(format!(">= {}, < 7.0.0", provider(module)))),
    ]);
    vec![Item::block(
        "terraform",
        &[],
        vec![
            Item::attribute("required_version", Expr::text(TERRAFORM)),
            Item::block("required_providers", &[], vec![Item::attribute("aws", provider)]),
        ],
    )]
}

/// The provider's changelog: `CREATE_ON_PUSH` of templates came with 6.28.0, their exclusions with 6.10.0, those of
/// repositories with 6.8.0; the attribute `region` of `aws_region` came with 6.0.0.
fn provider(module: &Module<'_>) -> &'static str {
    let desired = module.desired;
    let excepts = |mutability: &Mutability| !mutability.except.is_empty();
    let mut applied = desired.templates.iter().flat_map(|template| &template.applied_for);
    if applied.any(|use_| use_ == "CREATE_ON_PUSH") {
        "6.28.0"
    } else if desired.templates.iter().any(|template| excepts(&template.mutability)) {
        "6.10.0"
    } else if desired.repositories.iter().any(|repository| excepts(&repository.mutability)) {
        "6.8.0"
    } else {
        "6.0.0"
    }
}
