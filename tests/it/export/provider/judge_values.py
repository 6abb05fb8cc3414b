"""Judges the values of a Terraform plan (terraform show -json) by the service models that AWS's own clients carry: patterns,
lengths, enumerations, members that are there and that must be."""

import json
import sys

import botocore.session
import regex

# What the plan does not know yet.
UNKNOWN = object()
MODELS = {}
PROBLEMS = []


def model(service):
    if service not in MODELS:
        MODELS[service] = botocore.session.get_session().get_service_model(service)
    return MODELS[service]


def problem(where, text):
    PROBLEMS.append(f"{where}: {text}")


def judge(shape, value, where):
    if value is UNKNOWN:
        return
    limits = shape.metadata
    kinds = {"string": str, "integer": int, "long": int, "boolean": bool, "list": list, "map": dict, "structure": dict}
    if not isinstance(value, kinds[shape.type_name]):
        return problem(where, f"{value!r} is no {shape.type_name}")
    size = value if shape.type_name in ("integer", "long") else len(value) if hasattr(value, "__len__") else None
    if size is not None and shape.type_name != "structure":
        if size < limits.get("min", size):
            problem(where, f"{value!r} is below {limits['min']}")
        if size > limits.get("max", size):
            problem(where, f"{value!r} is above {limits['max']}")
    if shape.type_name == "string":
        if limits.get("enum") and value not in limits["enum"]:
            problem(where, f"{value!r} is none of {limits['enum']}")
        if limits.get("pattern") and not regex.fullmatch(limits["pattern"], value):
            problem(where, f"{value!r} does not match {limits['pattern']}")
    elif shape.type_name == "list":
        for index, element in enumerate(value):
            judge(shape.member, element, f"{where}[{index}]")
    elif shape.type_name == "map":
        for key, element in value.items():
            judge(shape.key, key, f"{where} key")
            judge(shape.value, element, f"{where}.{key}")
    elif shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                problem(where, f"{name} is missing")
        for name, member in value.items():
            if name not in shape.members:
                problem(where, f"{name} is unknown")
            else:
                judge(shape.members[name], member, f"{where}.{name}")


def tags(value):
    return [{"Key": key, "Value": text} for key, text in (value or {}).items()]


def encryption(blocks):
    of = lambda block: {"encryptionType": block["encryption_type"], "kmsKey": block.get("kms_key")}
    return present(of(blocks[0])) if blocks else None


def mutability_filters(blocks):
    return [{"filterType": block["filter_type"], "filter": block["filter"]} for block in blocks or []] or None


def filters(blocks):
    return [{"filter": block["filter"], "filterType": block["filter_type"]} for block in blocks]


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def scanning(v):
    rules = [
        {"scanFrequency": rule["scan_frequency"], "repositoryFilters": filters(rule["repository_filter"])}
        for rule in v["rule"]
    ]
    return {"scanType": v["scan_type"], "rules": rules}


def replication(v):
    rules = [
        {
            "destinations": [{"region": to["region"], "registryId": to["registry_id"]} for to in rule["destination"]],
            "repositoryFilters": filters(rule["repository_filter"]),
        }
        for rule in v["replication_configuration"][0]["rule"]
    ]
    return {"replicationConfiguration": {"rules": rules}}


# By type of resource: service, operation, and the operation's input.
CALLS = {
    "aws_ecr_pull_through_cache_rule": ("ecr", "CreatePullThroughCacheRule", lambda v: {
        "ecrRepositoryPrefix": v["ecr_repository_prefix"],
        "upstreamRegistryUrl": v["upstream_registry_url"],
        "upstreamRepositoryPrefix": v.get("upstream_repository_prefix"),
        "credentialArn": v.get("credential_arn"),
        "customRoleArn": v.get("custom_role_arn"),
    }),
    "aws_ecr_repository_creation_template": ("ecr", "CreateRepositoryCreationTemplate", lambda v: {
        "prefix": v["prefix"],
        "description": v["description"],
        "appliedFor": v["applied_for"],
        "imageTagMutability": v["image_tag_mutability"],
        "imageTagMutabilityExclusionFilters": mutability_filters(v["image_tag_mutability_exclusion_filter"]),
        "encryptionConfiguration": encryption(v["encryption_configuration"]),
        "lifecyclePolicy": v.get("lifecycle_policy"),
        "repositoryPolicy": v.get("repository_policy"),
        "resourceTags": tags(v.get("resource_tags")),
        "customRoleArn": v.get("custom_role_arn"),
    }),
    "aws_ecr_registry_scanning_configuration": ("ecr", "PutRegistryScanningConfiguration", scanning),
    "aws_ecr_registry_policy": ("ecr", "PutRegistryPolicy", lambda v: {"policyText": v["policy"]}),
    "aws_ecr_replication_configuration": ("ecr", "PutReplicationConfiguration", replication),
    "aws_ecr_repository": ("ecr", "CreateRepository", lambda v: {
        "repositoryName": v["name"],
        "imageTagMutability": v["image_tag_mutability"],
        "imageTagMutabilityExclusionFilters": mutability_filters(v["image_tag_mutability_exclusion_filter"]),
        "encryptionConfiguration": encryption(v["encryption_configuration"]),
        "imageScanningConfiguration": {"scanOnPush": v["image_scanning_configuration"][0]["scan_on_push"]},
        "tags": tags(v["tags"]),
    }),
    "aws_ecr_lifecycle_policy": ("ecr", "PutLifecyclePolicy", lambda v: {
        "repositoryName": v["repository"], "lifecyclePolicyText": v["policy"],
    }),
    "aws_ecr_repository_policy": ("ecr", "SetRepositoryPolicy", lambda v: {
        "repositoryName": v["repository"], "policyText": v["policy"],
    }),
    "aws_secretsmanager_secret": ("secretsmanager", "CreateSecret", lambda v: {
        "Name": v["name"], "Description": v["description"], "Tags": tags(v["tags"]),
    }),
    "aws_secretsmanager_secret_version": ("secretsmanager", "PutSecretValue", lambda v: {"SecretId": v["secret_id"]}),
    "aws_kms_key": ("kms", "CreateKey", lambda v: {
        "Description": v["description"],
        "Policy": v["policy"],
        "Tags": [{"TagKey": key, "TagValue": text} for key, text in v["tags"].items()],
    }),
    "aws_kms_alias": ("kms", "CreateAlias", lambda v: {"AliasName": v["name"], "TargetKeyId": v["target_key_id"]}),
    "aws_iam_role": ("iam", "CreateRole", lambda v: {
        "RoleName": v["name"],
        "Description": v["description"],
        "AssumeRolePolicyDocument": v["assume_role_policy"],
        "Tags": tags(v["tags"]),
    }),
    "aws_iam_role_policy": ("iam", "PutRolePolicy", lambda v: {
        "RoleName": v["role"], "PolicyName": v["name"], "PolicyDocument": v["policy"],
    }),
    "aws_iam_policy": ("iam", "CreatePolicy", lambda v: {
        "PolicyName": v["name"], "Description": v["description"], "PolicyDocument": v["policy"], "Tags": tags(v["tags"]),
    }),
    "aws_iam_role_policy_attachment": ("iam", "AttachRolePolicy", lambda v: {
        "RoleName": v["role"], "PolicyArn": v["policy_arn"],
    }),
}


def filled(values, unknown):
    """The planned values with a mark where the plan does not know."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, dict):
        return {name: filled((values or {}).get(name), unknown.get(name)) for name in {**(values or {}), **unknown}}
    if isinstance(unknown, list) and isinstance(values, list):
        return [filled(value, mark) for value, mark in zip(values, unknown)]
    return values


with open(sys.argv[1], encoding="utf-8") as file:
    plan = json.load(file)
judged = 0
for change in plan["resource_changes"]:
    if change["mode"] != "managed":
        continue
    service, operation, call = CALLS[change["type"]]
    values = filled(change["change"]["after"], change["change"]["after_unknown"])
    shape = model(service).operation_model(operation).input_shape
    judge(shape, present(call(values)), f"{change['address']} {operation}")
    judged += 1
print("\n".join(PROBLEMS))
print(f"{judged} calls judged, {len(PROBLEMS)} problems")
sys.exit(1 if PROBLEMS or not judged else 0)
