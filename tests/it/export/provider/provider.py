"""A Terraform provider with the schemas of hashicorp/aws and nothing behind them (protocol 6): enough for validate, plan and
test. Its data sources answer for STUB_ACCOUNT and STUB_REGION."""

import json
import os
import re
import sys

import msgpack
import tf.provider
import tf.runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

with open(os.environ["STUB_SCHEMA"], encoding="utf-8") as file:
    SCHEMAS = json.load(file)
ANSWERS = {
    "account_id": os.environ.get("STUB_ACCOUNT", "123456789012"),
    "region": os.environ.get("STUB_REGION", "ca-central-1"),
}
# What resources are imported by: "Import" on the page of each in the documentation of hashicorp/aws.
ACCOUNT = r"\d{12}"
REPOSITORY = r"[a-z0-9._/-]+"
ROLE = r"[\w+=,.@-]+"
POLICY = rf"arn:aws[a-z-]*:iam::({ACCOUNT}|aws):policy/[\w+=,.@/-]+"
IMPORT_IDS = {
    "aws_ecr_lifecycle_policy": REPOSITORY,
    "aws_ecr_pull_through_cache_rule": rf"{REPOSITORY}|ROOT",
    "aws_ecr_registry_policy": ACCOUNT,
    "aws_ecr_registry_scanning_configuration": ACCOUNT,
    "aws_ecr_replication_configuration": ACCOUNT,
    "aws_ecr_repository": REPOSITORY,
    "aws_ecr_repository_creation_template": rf"{REPOSITORY}|ROOT",
    "aws_ecr_repository_policy": REPOSITORY,
    "aws_iam_policy": POLICY,
    "aws_iam_role": ROLE,
    "aws_iam_role_policy_attachment": rf"{ROLE}/{POLICY}",
    "aws_kms_alias": r"alias/[\w/-]+",
    "aws_kms_key": r"[0-9a-f-]{36}|mrk-[0-9a-f]{32}",
    "aws_secretsmanager_secret": rf"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:{ACCOUNT}:secret:[\w/+=.@-]+",
}
NESTING = pb.Schema.NestedBlock.NestingMode
UNKNOWN = msgpack.ExtType(0, b"\x00")
# `write_only` is field 11 of Schema.Attribute since protocol 6.8, which the generated classes do not know yet.
WRITE_ONLY = bytes([11 << 3, 1])


def attribute(name, facts):
    known = {key: True for key in ("required", "optional", "computed") if facts.get(key)}
    made = pb.Schema.Attribute(name=name, type=json.dumps(facts["type"]).encode(), **known)
    if facts.get("write_only"):
        made.MergeFromString(WRITE_ONLY)
    return made


def block(schema):
    return pb.Schema.Block(
        attributes=[attribute(name, facts) for name, facts in schema["attributes"].items()],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=block(inner["block"]),
                nesting=NESTING.Value(inner["nesting_mode"].upper()),
                min_items=0 if inner["nesting_mode"] == "single" else inner["min_items"],
                max_items=0 if inner["nesting_mode"] == "single" else inner["max_items"],
            )
            for name, inner in schema["block_types"].items()
        ],
    )


def schemas(kind):
    return {name: pb.Schema(version=0, block=block(schema)) for name, schema in SCHEMAS[kind].items()}


def unpack(value):
    return msgpack.unpackb(value.msgpack, raw=False, ext_hook=msgpack.ExtType)


def pack(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def planned(schema, values):
    """What the provider decides is unknown; what may only be written is not kept."""

    def of(name, value):
        facts = schema["attributes"].get(name, {})
        if facts.get("write_only"):
            return None
        return UNKNOWN if value is None and facts.get("computed") else value

    return {name: of(name, value) for name, value in values.items()}


class Schemas(rpc.ProviderServicer):
    def __init__(self, _app):
        pass

    def GetMetadata(self, request, context):
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=False),
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in SCHEMAS["resources"]],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in SCHEMAS["data"]],
        )

    def GetProviderSchema(self, request, context):
        region = pb.Schema.Attribute(name="region", type=b'"string"', optional=True)
        return pb.GetProviderSchema.Response(
            provider=pb.Schema(version=0, block=pb.Schema.Block(attributes=[region])),
            resource_schemas=schemas("resources"),
            data_source_schemas=schemas("data"),
        )

    def ValidateProviderConfig(self, request, context):
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request, context):
        return pb.ConfigureProvider.Response()

    def StopProvider(self, request, context):
        return pb.StopProvider.Response()

    def UpgradeResourceState(self, request, context):
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def ReadResource(self, request, context):
        return pb.ReadResource.Response(new_state=request.current_state)

    def ImportResourceState(self, request, context):
        form = IMPORT_IDS.get(request.type_name)
        if not form or not re.fullmatch(form, request.id):
            refusal = pb.Diagnostic(
                severity=pb.Diagnostic.ERROR, summary=f"{request.type_name} is not imported by {request.id}"
            )
            return pb.ImportResourceState.Response(diagnostics=[refusal])
        schema = SCHEMAS["resources"][request.type_name]
        state = {name: None for name in schema["attributes"]}
        single = {name: inner["nesting_mode"] == "single" for name, inner in schema["block_types"].items()}
        state.update({name: None if alone else [] for name, alone in single.items()})
        state["id"] = request.id
        imported = pb.ImportResourceState.ImportedResource(type_name=request.type_name, state=pack(state))
        return pb.ImportResourceState.Response(imported_resources=[imported])

    def PlanResourceChange(self, request, context):
        proposed = unpack(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        schema = SCHEMAS["resources"][request.type_name]
        return pb.PlanResourceChange.Response(planned_state=pack(planned(schema, proposed)))

    def ReadDataSource(self, request, context):
        config = unpack(request.config)
        answer = {name: ANSWERS.get(name, value) for name, value in config.items()}
        return pb.ReadDataSource.Response(state=pack(answer))


class Named:
    def full_name(self):
        return "registry.terraform.io/hashicorp/aws"


tf.provider.ProviderServicer = Schemas
tf.runner.run_provider(Named(), sys.argv)
