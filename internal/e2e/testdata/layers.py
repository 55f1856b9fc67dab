"""Layers with boto3: python layers.py URL CODE.zip LAYER.zip"""
import base64
import hashlib
import json
import sys
import urllib.request
import uuid

import boto3
from botocore.config import Config

url, code_path, layer_path = sys.argv[1:]
code, layer = open(code_path, "rb").read(), open(layer_path, "rb").read()
# Numbers never begin anew, so every run has a layer of its own.
NAME, LAYER = "boto3-layers", "boto3-" + uuid.uuid4().hex
ARN = "arn:aws:lambda:us-east-1:000000000000:layer:" + LAYER
ROLE = "arn:aws:iam::000000000000:role/e2e"

client = boto3.client(
    "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(retries={"total_max_attempts": 1}),
)


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def refused(error, text, call, **arguments):
    try:
        call(**arguments)
    except error as e:
        assert text in e.response["Error"]["Message"], e.response
        return
    raise AssertionError(f"{call} was not refused: {arguments}")


def wait(waiter):
    client.get_waiter(waiter).wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


invalid = client.exceptions.InvalidParameterValueException
missing = client.exceptions.ResourceNotFoundException

made = client.publish_layer_version(
    LayerName=LAYER, Description="says hello", Content={"ZipFile": layer}, CompatibleRuntimes=["python3.9"],
    LicenseInfo="Apache-2.0", CompatibleArchitectures=["x86_64"])
equal("status", made.pop("ResponseMetadata")["HTTPStatusCode"], 201)
location = made["Content"].pop("Location")
assert made.pop("CreatedDate").endswith("+0000")
equal("published", made, {
    "Content": {"CodeSha256": base64.b64encode(hashlib.sha256(layer).digest()).decode(), "CodeSize": len(layer)},
    "LayerArn": ARN, "LayerVersionArn": ARN + ":1", "Description": "says hello", "Version": 1,
    "CompatibleRuntimes": ["python3.9"], "LicenseInfo": "Apache-2.0", "CompatibleArchitectures": ["x86_64"],
})
equal("the archive", urllib.request.urlopen(location).read(), layer)
equal("second", client.publish_layer_version(LayerName=LAYER, Content={"ZipFile": layer})["Version"], 2)

by_number = client.get_layer_version(LayerName=LAYER, VersionNumber=1)
by_arn = client.get_layer_version_by_arn(Arn=ARN + ":1")
for answer in (by_number, by_arn):
    equal("the archive", urllib.request.urlopen(answer["Content"].pop("Location")).read(), layer)
    del answer["ResponseMetadata"], answer["CreatedDate"]
    equal("read", answer, made)

pages = client.get_paginator("list_layer_versions").paginate(LayerName=LAYER, PaginationConfig={"PageSize": 1})
equal("versions", [v["LayerVersionArn"] for page in pages for v in page["LayerVersions"]], [ARN + ":2", ARN + ":1"])
only = client.list_layer_versions(LayerName=LAYER, CompatibleRuntime="python3.9")["LayerVersions"]
equal("versions for python3.9", [v["Version"] for v in only], [1])
pages = client.get_paginator("list_layers").paginate(CompatibleArchitecture="x86_64", PaginationConfig={"PageSize": 1})
mine = [item for page in pages for item in page["Layers"] if item["LayerName"] == LAYER]
equal("layers for x86_64", [item["LatestMatchingVersion"]["Version"] for item in mine], [1])

refused(missing, "The resource you requested does not exist.", client.get_layer_version, LayerName=LAYER, VersionNumber=9)
refused(invalid, "Layer Version Cannot be less than 1", client.get_layer_version, LayerName=LAYER, VersionNumber=0)
function = {"FunctionName": NAME, "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE, "Code": {"ZipFile": code}}
refused(invalid, f"Layer version {ARN}:9 does not exist.", client.create_function, Layers=[ARN + ":9"], **function)
refused(invalid, "Two different versions of the same layer are not allowed", client.create_function,
        Layers=[ARN + ":1", ARN + ":2"], **function)

six = [client.publish_layer_version(LayerName=f"{LAYER}-{i}", Content={"ZipFile": layer})["LayerVersionArn"] for i in range(6)]
refused(invalid, "Cannot reference more than 5 layers.", client.create_function, Layers=six, **function)

# Another account reads it by its ARN, and changes nothing; what is not there is
# not there for anybody.
other = boto3.client("lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="111122223333", aws_secret_access_key="test")
equal("read by another account", other.get_layer_version_by_arn(Arn=ARN + ":1")["LayerVersionArn"], ARN + ":1")
try:
    other.delete_layer_version(LayerName=ARN, VersionNumber=1)
    raise AssertionError("another account has deleted it")
except other.exceptions.ClientError as e:
    equal("refusal", e.response["Error"]["Code"], "AccessDeniedException")
refused(missing, "The resource you requested does not exist.", other.get_layer_version, LayerName=LAYER, VersionNumber=1)
absent = "arn:aws:lambda:us-east-1:111122223333:layer:none:1"
refused(invalid, f"Layer version {absent} does not exist.", client.create_function, Layers=[absent], **function)

shown = client.create_function(Layers=[ARN + ":1"], **function)["Layers"]
equal("layers of the function", shown, [{"Arn": ARN + ":1", "CodeSize": len(layer)}])
wait("function_active_v2")
equal("payload", json.loads(client.invoke(FunctionName=NAME, Payload=b'"boto3"')["Payload"].read()), "hello boto3")

for _ in range(2):
    equal("status", client.delete_layer_version(LayerName=LAYER, VersionNumber=1)["ResponseMetadata"]["HTTPStatusCode"], 204)
refused(missing, "The resource you requested does not exist.", client.get_layer_version_by_arn, Arn=ARN + ":1")
refused(invalid, f"Layer version {ARN}:1 does not exist.", client.update_function_configuration, FunctionName=NAME, Layers=[ARN + ":1"])
equal("layers of the function", client.get_function(FunctionName=NAME)["Configuration"]["Layers"], shown)
equal("payload", json.loads(client.invoke(FunctionName=NAME, Payload=b'"again"')["Payload"].read()), "hello again")

client.update_function_configuration(FunctionName=NAME, Layers=[])
wait("function_updated_v2")
answer = client.invoke(FunctionName=NAME, Payload=b'"nobody"')
error = json.loads(answer["Payload"].read())
equal("error", [answer.get("FunctionError"), error["errorType"]], ["Unhandled", "Runtime.ImportModuleError"])
assert "Layers" not in client.get_function_configuration(FunctionName=NAME)
client.delete_function(FunctionName=NAME)
