//! Published JSON Schemas are those of the types, and what the commands print is valid by them.

use pullthru::aws::export::IamReport;
use pullthru::cost::PriceFile;
use pullthru::report::cost::CostReport;
use pullthru::report::prices::PriceTable;
use pullthru::report::{migrate::MigrationReport, scan::ScanReport, verify::VerifyReport, warm::WarmReport};
use pullthru::verify::Lock;

use crate::golden::assert_same;

#[test]
#[cfg(feature = "aws")]
fn the_schema_of_doctor_is_that_of_its_type() {
    let schema = schemars::schema_for!(pullthru::report::doctor::DoctorReport);
    assert_same("schema/doctor.v1.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let text = |schema: schemars::Schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    assert_same("schema/scan.v1.json", &text(schemars::schema_for!(ScanReport)));
    let diff = schemars::schema_for!(pullthru::report::charts_diff::ChartsDiffReport);
    assert_same("schema/charts-diff.v1.json", &text(diff));
    let charts = schemars::schema_for!(pullthru::report::charts::ChartsReport);
    assert_same("schema/charts.v1.json", &text(charts));
    assert_same("schema/iam.v1.json", &text(schemars::schema_for!(IamReport)));
    assert_same("schema/migration.v1.json", &text(schemars::schema_for!(MigrationReport)));
    assert_same("schema/verification.v1.json", &text(schemars::schema_for!(VerifyReport)));
    assert_same("schema/warming.v1.json", &text(schemars::schema_for!(WarmReport)));
    assert_same("schema/cost.v1.json", &text(schemars::schema_for!(CostReport)));
    assert_same("schema/price-table.v1.json", &text(schemars::schema_for!(PriceTable)));
    assert_same("schema/prices.v1.json", &text(schemars::schema_for!(PriceFile)));
    assert_same("schema/lock.v1.json", &text(schemars::schema_for!(Lock)));
}

#[test]
#[cfg(feature = "aws")]
fn the_schemas_of_the_aws_side_are_those_of_the_types() {
    use pullthru::aws::outputs::Outputs;
    use pullthru::report::provision::{AppliedReport, PlanReport};
    let text = |schema: schemars::Schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    assert_same("schema/plan.v1.json", &text(schemars::schema_for!(PlanReport)));
    assert_same("schema/applied.v1.json", &text(schemars::schema_for!(AppliedReport)));
    assert_same("schema/outputs.v1.json", &text(schemars::schema_for!(Outputs)));
}
