//! EC2: VPC endpoints, to be looked at.

use serde_json::{Value, json};

use crate::error::{AwsError, error};
use crate::policy::{items, matches};
use crate::world::{Scope, set, slice};

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    let all = scope.here().vpc_endpoints.clone();
    let mut found = Vec::new();
    match input["VpcEndpointIds"].as_array() {
        Some(ids) => {
            for id in ids.iter().filter_map(Value::as_str) {
                let missing = || format!("The Vpc Endpoint Id '{id}' does not exist");
                let known = all.get(id).ok_or_else(|| error("InvalidVpcEndpointId.NotFound", missing()))?;
                found.push(known.clone());
            }
        }
        None => found.extend(all.into_values()),
    }
    for filter in items(&input["Filters"]) {
        // Names of filters: EC2 API reference, DescribeVpcEndpoints.
        let member = match filter["Name"].as_str().unwrap_or_default() {
            "service-name" => "ServiceName",
            "vpc-id" => "VpcId",
            "vpc-endpoint-id" => "VpcEndpointId",
            "vpc-endpoint-state" => "State",
            "vpc-endpoint-type" => "VpcEndpointType",
            name => return Err(error("InvalidParameterValue", format!("The filter '{name}' is invalid"))),
        };
        let wanted = |endpoint: &Value| {
            let text = endpoint[member].as_str().unwrap_or_default();
            items(&filter["Values"]).filter_map(Value::as_str).any(|pattern| matches(pattern, text))
        };
        found.retain(wanted);
    }
    let (items, next) = slice(found, &input["NextToken"], &input["MaxResults"], 1000)
        .ok_or_else(|| error("InvalidParameterValue", "The token is invalid"))?;
    let mut answer = json!({ "VpcEndpoints": items });
    set(&mut answer, "NextToken", next.into());
    Ok(answer)
}
