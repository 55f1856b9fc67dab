"""Aliases, policies, tags and URLs with boto3: python aliases.py URL CODE.zip"""
import json
import re
import sys

import boto3
from botocore.config import Config

url, path = sys.argv[1:]
NAME = "boto3-alias"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:" + NAME

client = boto3.client(
    "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(retries={"total_max_attempts": 1}),
)


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def refused(error, text, status, call, **arguments):
    """call must raise the modelled exception, with what AWS has in it."""
    try:
        call(**arguments)
    except error as e:
        equal("status", e.response["ResponseMetadata"]["HTTPStatusCode"], status)
        assert text in e.response["Error"]["Message"], e.response
        return
    raise AssertionError(f"{call} was not refused: {arguments}")


def without(answer, *names):
    return {k: v for k, v in answer.items() if k not in ("ResponseMetadata",) + names}


with open(path, "rb") as f:
    client.create_function(
        FunctionName=NAME, Runtime="provided.al2023", Handler="h", Role="arn:aws:iam::000000000000:role/e2e",
        Code={"ZipFile": f.read()}, Publish=True, Timeout=30,
    )
client.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
client.update_function_configuration(FunctionName=NAME, Description="second")
client.get_waiter("function_updated_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
equal("version", client.publish_version(FunctionName=NAME)["Version"], "2")

made = client.create_alias(
    FunctionName=NAME, Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
)
equal("alias", without(made, "RevisionId"), {
    "AliasArn": ARN + ":live", "Name": "live", "FunctionVersion": "1", "Description": "",
    "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}},
})
equal("alias", without(client.get_alias(FunctionName=ARN, Name="live")), without(made))

# Both versions answer, and each is named. 2^-40 is the chance that one is not.
seen = set()
for _ in range(41):
    answer = client.invoke(FunctionName=NAME, Qualifier="live", Payload=b"{}")
    seen.add(answer["ExecutedVersion"])
    if len(seen) == 2:
        break
equal("versions that ran", seen, {"1", "2"})

refused(client.exceptions.PreconditionFailedException, "The Revision Id provided does not match the latest Revision Id", 412,
        client.update_alias, FunctionName=NAME, Name="live", FunctionVersion="2", RevisionId="0")
refused(client.exceptions.InvalidParameterValueException, "Function version 2 is already included in routing configuration.", 400,
        client.update_alias, FunctionName=NAME, Name="live", FunctionVersion="2")
moved = client.update_alias(
    FunctionName=NAME, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}},
    RevisionId=made["RevisionId"],
)
assert "RoutingConfig" not in moved and moved["RevisionId"] != made["RevisionId"], moved
equal("executed", client.invoke(FunctionName=ARN + ":live")["ExecutedVersion"], "2")
for i in range(3):
    client.create_alias(FunctionName=NAME, Name=f"more-{i}", FunctionVersion="1")
pages = client.get_paginator("list_aliases").paginate(FunctionName=NAME, PaginationConfig={"PageSize": 2})
equal("aliases", [a["Name"] for page in pages for a in page["Aliases"]], ["live", "more-0", "more-1", "more-2"])
configuration = client.get_function(FunctionName=NAME, Qualifier="live")["Configuration"]
equal("function by alias", (configuration["FunctionArn"], configuration["Version"]), (ARN + ":live", "2"))

# What a public URL needs.
statement = json.loads(client.add_permission(
    FunctionName=NAME, Qualifier="live", StatementId="FunctionURLAllowPublicAccess", Action="lambda:InvokeFunctionUrl",
    Principal="*", FunctionUrlAuthType="NONE",
)["Statement"])
equal("statement", statement, {
    "Sid": "FunctionURLAllowPublicAccess", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
    "Resource": ARN + ":live", "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
})
policy = client.get_policy(FunctionName=NAME, Qualifier="live")
equal("policy", json.loads(policy["Policy"]), {"Version": "2012-10-17", "Id": "default", "Statement": [statement]})
refused(client.exceptions.ResourceNotFoundException, "Statement x is not found in resource policy.", 404,
        client.remove_permission, FunctionName=NAME, Qualifier="live", StatementId="x")
refused(client.exceptions.ResourceNotFoundException, "The resource you requested does not exist.", 404,
        client.get_policy, FunctionName=NAME)

made = client.create_function_url_config(FunctionName=NAME, Qualifier="live", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
assert re.fullmatch(r"http://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:\d+/", made["FunctionUrl"]), made
assert "InvokeMode" not in made, made
shown = client.get_function_url_config(FunctionName=ARN + ":live")
equal("URL", (shown["FunctionUrl"], shown["FunctionArn"], shown["InvokeMode"], shown["Cors"]),
      (made["FunctionUrl"], ARN + ":live", "BUFFERED", {"AllowOrigins": ["*"]}))
refused(client.exceptions.ResourceConflictException, "FunctionUrlConfig exists for this Lambda function", 409,
        client.create_function_url_config, FunctionName=NAME, Qualifier="live", AuthType="NONE")

client.tag_resource(Resource=ARN, Tags={"a": "1", "b": "2"})
client.untag_resource(Resource=ARN, TagKeys=["a"])
equal("tags", client.list_tags(Resource=ARN)["Tags"], {"b": "2"})
equal("tags", client.get_function(FunctionName=NAME)["Tags"], {"b": "2"})
refused(client.exceptions.InvalidParameterValueException, "Tags on function aliases and versions are not supported", 400,
        client.tag_resource, Resource=ARN + ":live", Tags={"a": "1"})
equal("code signing", without(client.get_function_code_signing_config(FunctionName=NAME)), {})

client.delete_function(FunctionName=NAME)
refused(client.exceptions.ResourceNotFoundException, "The resource you requested does not exist.", 404,
        client.get_function_url_config, FunctionName=NAME, Qualifier="live")
