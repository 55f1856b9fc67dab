"""A function's life with boto3: python lifecycle.py URL CODE.zip"""
import base64
import hashlib
import json
import sys
import urllib.request
import uuid

import boto3
from botocore.config import Config

url, path = sys.argv[1:]
code = open(path, "rb").read()
NAME = "boto3-life"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:" + NAME
ROLE = "arn:aws:iam::000000000000:role/e2e"

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
        uuid.UUID(e.response["ResponseMetadata"]["RequestId"])
        return e.response
    raise AssertionError(f"{call} was not refused: {arguments}")


def wait(waiter):
    client.get_waiter(waiter).wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


made = client.create_function(
    FunctionName=NAME, Runtime="provided.al2023", Handler="h", Role=ROLE, Code={"ZipFile": code},
    Description="made", Environment={"Variables": {"MARK": "a"}}, Tags={"k": "v"}, Timeout=30,
)
equal("status", made["ResponseMetadata"]["HTTPStatusCode"], 201)
del made["ResponseMetadata"]
uuid.UUID(made.pop("RevisionId"))
assert made.pop("LastModified").endswith("+0000")
# boto3 shows only the members that its release knows (Debian's is of 2022).
known = client.meta.service_model.operation_model("CreateFunction").output_shape.members
if "RuntimeVersionConfig" in known:
    assert made.pop("RuntimeVersionConfig")["RuntimeVersionArn"].startswith("arn:aws:lambda:us-east-1::runtime:")
expected = {
    "FunctionName": NAME, "FunctionArn": ARN, "Runtime": "provided.al2023", "Role": ROLE, "Handler": "h",
    "CodeSize": len(code), "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
    "Description": "made", "Timeout": 30, "MemorySize": 128, "Version": "$LATEST", "PackageType": "Zip",
    "Architectures": ["x86_64"], "EphemeralStorage": {"Size": 512}, "TracingConfig": {"Mode": "PassThrough"},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/" + NAME},
    "Environment": {"Variables": {"MARK": "a"}},
    "State": "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating",
}
equal("the new function", made, {k: v for k, v in expected.items() if k in known})
wait("function_active_v2")
wait("function_exists")

conflict = refused(client.exceptions.ResourceConflictException, "Function already exist: " + NAME, 409, client.create_function,
                   FunctionName=NAME, Runtime="provided.al2023", Handler="h", Role=ROLE, Code={"ZipFile": code})
equal("type", conflict["Type"], "User")

answer = client.invoke(FunctionName=NAME, Payload=b"{}", LogType="Tail",
                       ClientContext=base64.b64encode(b'{"custom":{}}').decode())
equal("payload", json.loads(answer["Payload"].read()), "from boto3 a")
equal("status", answer["StatusCode"], 200)
equal("version", answer["ExecutedVersion"], "$LATEST")
assert "FunctionError" not in answer, answer
log = base64.b64decode(answer["LogResult"]).decode()
request = answer["ResponseMetadata"]["RequestId"]
assert log.startswith(f"START RequestId: {request} Version: $LATEST\n") and f"REPORT RequestId: {request}\t" in log, log
equal("dry run", client.invoke(FunctionName=NAME, InvocationType="DryRun")["StatusCode"], 204)

got = client.get_function(FunctionName=NAME)
equal("tags", got["Tags"], {"k": "v"})
equal("repository", got["Code"]["RepositoryType"], "S3")
equal("the code", urllib.request.urlopen(got["Code"]["Location"]).read(), code)
assert "StateReason" not in got["Configuration"], got

before = got["Configuration"]["RevisionId"]
client.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"MARK": "b"}}, RevisionId=before)
wait("function_updated_v2")
refused(client.exceptions.PreconditionFailedException, "does not match the latest Revision Id", 412,
        client.update_function_configuration, FunctionName=NAME, Description="late", RevisionId=before)
refused(client.exceptions.InvalidParameterValueException, "CodeSHA256 (wrong) is different from current CodeSHA256 in $LATEST", 400,
        client.publish_version, FunctionName=NAME, CodeSha256="wrong")
version = client.publish_version(FunctionName=NAME, Description="one")
equal("version", [version["Version"], version["FunctionArn"], version["State"]], ["1", ARN + ":1", "Active"])
again = client.publish_version(FunctionName=NAME, Description="other words")
equal("a version without a change", again["Version"], "1")
pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=NAME, PaginationConfig={"PageSize": 1})
equal("versions", [v["Version"] for page in pages for v in page["Versions"]], ["$LATEST", "1"])
equal("payload", json.loads(client.invoke(FunctionName=NAME, Qualifier="1")["Payload"].read()), "from boto3 b")

invalid = client.exceptions.InvalidParameterValueException
for archive in (code[:-30], code[:100], b"", b"not a zip", code[200:]):
    try:
        client.update_function_code(FunctionName=NAME, ZipFile=archive)
    except invalid as e:
        equal("type", e.response["Type"], "User")
    else:
        raise AssertionError(f"{len(archive)} bytes of an archive were accepted")
refused(invalid, "at 'runtime' failed to satisfy constraint: Member must satisfy enum value set", 400,
        client.update_function_configuration, FunctionName=NAME, Runtime="perl5")
refused(client.exceptions.InvalidRequestContentException, "Could not parse request body into json", 400,
        client.invoke, FunctionName=NAME, Payload=b"{")
refused(client.exceptions.RequestTooLargeException, "payload is too large", 413,
        client.invoke, FunctionName=NAME, Payload=b'"' + b"x" * 6291456 + b'"')
missing = refused(client.exceptions.ResourceNotFoundException, f"Function not found: {ARN}:2", 404,
                  client.get_function, FunctionName=NAME, Qualifier="2")
equal("members", [missing["Type"], missing["Message"]], ["User", f"Function not found: {ARN}:2"])
validation = refused(client.exceptions.ClientError, "1 validation error detected: Value '*' at 'functionName'", 400,
                     client.get_function, FunctionName="*")
equal("code", validation["Error"]["Code"], "ValidationException")
refused(client.exceptions.ClientError, "lamb does not implement the operation ListCodeSigningConfigs", 501, client.list_code_signing_configs)
refused(client.exceptions.ClientError, "lamb does not implement", 501, client.invoke, FunctionName=NAME, InvocationType="Event")
assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000

equal("status", client.delete_function(FunctionName=NAME)["ResponseMetadata"]["HTTPStatusCode"], 204)
refused(client.exceptions.ResourceNotFoundException, f"Function not found: {ARN}", 404, client.delete_function, FunctionName=NAME)
