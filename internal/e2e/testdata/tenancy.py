"""Tenant isolation with boto3: python tenancy.py URL CODE.zip"""
import json
import sys

import boto3
from botocore.config import Config

url, code_path = sys.argv[1:]
code = open(code_path, "rb").read()
NAME = "boto3-tenancy"
ISOLATED = {"TenantIsolationMode": "PER_TENANT"}

client = boto3.client(
    "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(retries={"total_max_attempts": 1}),
)


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def wait(waiter):
    client.get_waiter(waiter).wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def invoke(tenant):
    # With its log, the answer waits until the environment is free for the next.
    answer = client.invoke(FunctionName=NAME, TenantId=tenant, LogType="Tail")
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, payload
    return json.loads(payload)


made = client.create_function(
    FunctionName=NAME, Runtime="python3.12", Handler="app.handler", Role="arn:aws:iam::000000000000:role/e2e",
    Code={"ZipFile": code}, TenancyConfig=ISOLATED, Timeout=30)
equal("created", made["TenancyConfig"], ISOLATED)
wait("function_active_v2")

for count in (1, 2, 3):
    for tenant in ("blue", "red"):
        equal(f"answer {count} for {tenant}", invoke(tenant), {
            "tenant": tenant, "count": count, "seen": [tenant] * count, "files": [tenant] * count})

try:
    client.invoke(FunctionName=NAME)
    raise AssertionError("an invocation for nobody was not refused")
except client.exceptions.InvalidParameterValueException as e:
    equal("status", e.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    equal("message", e.response["Error"]["Message"],
          "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.")

# An update leaves the mode as it is, and reaches every tenant.
client.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"KEY": "value"}})
wait("function_updated_v2")
equal("after the update", client.get_function(FunctionName=NAME)["Configuration"]["TenancyConfig"], ISOLATED)
for tenant in ("blue", "red"):
    equal("anew", invoke(tenant)["count"], 1)
client.delete_function(FunctionName=NAME)
