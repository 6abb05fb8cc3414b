"""Makes the service models of this directory again.

    python3 -m venv target/peers/botocore
    target/peers/botocore/bin/pip install botocore==1.44.5
    target/peers/botocore/bin/python crates/aws-sim/model/condense.py

Takes from botocore's models the operations that OPERATIONS names, and the shapes that they reach: required members,
types, lengths, patterns, enums, names on the wire, and the errors that each operation declares. No documentation.
"""

import json
import pathlib

import botocore
import botocore.loaders

OPERATIONS = {
    "ecr": """
        BatchDeleteImage BatchGetImage CreatePullThroughCacheRule CreateRepository CreateRepositoryCreationTemplate
        DeleteLifecyclePolicy DeletePullThroughCacheRule DeleteRegistryPolicy DeleteRepository
        DeleteRepositoryCreationTemplate DeleteRepositoryPolicy DescribeImages DescribePullThroughCacheRules
        DescribeRegistry DescribeRepositories DescribeRepositoryCreationTemplates GetAccountSetting
        GetAuthorizationToken GetLifecyclePolicy GetLifecyclePolicyPreview GetRegistryPolicy
        GetRegistryScanningConfiguration GetRepositoryPolicy ListImages ListTagsForResource PutAccountSetting
        PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy PutRegistryPolicy
        PutRegistryScanningConfiguration PutReplicationConfiguration SetRepositoryPolicy StartLifecyclePolicyPreview
        TagResource UntagResource UpdatePullThroughCacheRule UpdateRepositoryCreationTemplate
        ValidatePullThroughCacheRule
    """,
    "secretsmanager": """
        CreateSecret DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue ListSecrets PutResourcePolicy
        PutSecretValue RestoreSecret TagResource UntagResource UpdateSecret
    """,
    "sts": "AssumeRole GetCallerIdentity",
    "iam": """
        AttachRolePolicy CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion CreateRole
        CreateServiceLinkedRole DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole
        DeleteRolePolicy DetachRolePolicy GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole GetRolePolicy
        ListAttachedRolePolicies ListEntitiesForPolicy ListOpenIDConnectProviders ListPolicies ListPolicyTags
        ListPolicyVersions ListRolePolicies ListRoleTags ListRoles PutRolePolicy SetDefaultPolicyVersion
        SimulatePrincipalPolicy TagOpenIDConnectProvider TagPolicy TagRole UntagPolicy UntagRole
        UpdateAssumeRolePolicy
    """,
}

SHAPE = ("type", "required", "enum", "pattern", "min", "max", "flattened", "sensitive", "timestampFormat")
MEMBER = ("shape", "locationName", "flattened")


def only(names, thing):
    return {name: thing[name] for name in names if name in thing}


def condense(shape):
    kept = only(SHAPE, shape)
    if "members" in shape:
        kept["members"] = {name: only(MEMBER, member) for name, member in sorted(shape["members"].items())}
    for part in ("member", "key", "value"):
        if part in shape:
            kept[part] = only(MEMBER, shape[part])
    return kept


def children(shape):
    for member in shape.get("members", {}).values():
        yield member["shape"]
    for part in ("member", "key", "value"):
        if part in shape:
            yield shape[part]["shape"]


def error(name, shape):
    told = shape.get("error", {})
    return {"code": told.get("code", name), "status": told.get("httpStatusCode", 500 if shape.get("fault") else 400)}


def main():
    here = pathlib.Path(__file__).parent
    loader = botocore.loaders.Loader()
    for service, wanted in OPERATIONS.items():
        model = loader.load_service_model(service, "service-2")
        shapes, operations, left = model["shapes"], {}, []
        for name in sorted(wanted.split()):
            operation = model["operations"][name]
            kept = {}
            for side in ("input", "output"):
                if side in operation:
                    kept[side] = operation[side]["shape"]
                    left.append(kept[side])
            if "resultWrapper" in operation.get("output", {}):
                kept["resultWrapper"] = operation["output"]["resultWrapper"]
            kept["errors"] = [error(e["shape"], shapes[e["shape"]]) for e in operation.get("errors", [])]
            operations[name] = kept
        reached = {}
        while left:
            name = left.pop()
            if name not in reached:
                reached[name] = condense(shapes[name])
                left.extend(children(shapes[name]))
        metadata = only(
            ("apiVersion", "protocol", "targetPrefix", "xmlNamespace", "endpointPrefix"), model["metadata"]
        )
        lines = ["{", f'"source": "botocore {botocore.__version__}",', f'"metadata": {json.dumps(metadata)},']
        for part, things in (("operations", operations), ("shapes", reached)):
            lines.append(f'"{part}": {{')
            rows = [f"{json.dumps(name)}: {json.dumps(thing)}" for name, thing in sorted(things.items())]
            lines.append(",\n".join(rows))
            lines.append("}," if part == "operations" else "}")
        lines.append("}")
        (here / f"{service}.json").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
