"""Reads streams with boto3. Arguments: lamb's URL, a zip of streamfunc."""

import json
import sys

import boto3
from botocore.config import Config

url, archive = sys.argv[1:]
client = boto3.client(
    "lambda", endpoint_url=url, region_name="us-east-1",
    aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 1}),
)
with open(archive, "rb") as f:
    client.create_function(
        FunctionName="boto3-stream", Runtime="provided.al2023", Handler="reader", Timeout=3,
        Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": f.read()},
    )
client.get_waiter("function_active_v2").wait(FunctionName="boto3-stream", WaiterConfig={"Delay": 1})


def stream(*steps, **more):
    response = client.invoke_with_response_stream(
        FunctionName="boto3-stream", Payload=json.dumps({"steps": steps}), LogType="Tail", **more)
    assert response["StatusCode"] == 200, response
    assert response["ExecutedVersion"] == "$LATEST", response
    assert response["ResponseStreamContentType"] == "application/vnd.amazon.eventstream", response
    events = list(response["EventStream"])
    assert all(list(e) == ["PayloadChunk"] for e in events[:-1]), events
    assert list(events[-1]) == ["InvokeComplete"], events
    return b"".join(e["PayloadChunk"]["Payload"] for e in events[:-1]), events[-1]["InvokeComplete"]


data, end = stream({"write": "one"}, {"write": "\u00e9\n" * 50000})
assert data == b"one" + "\u00e9\n".encode() * 50000, len(data)
assert "ErrorCode" not in end and end["LogResult"], end

data, end = stream({"write": "some"}, {"error": "no more"})
assert data == b"some" and end["ErrorCode"] == "errorString", end
assert json.loads(end["ErrorDetails"])["errorMessage"] == "no more", end

data, end = stream({"write": "some"}, {"forever": True})
assert data == b"some" and end["ErrorCode"] == "Sandbox.Timedout", end

try:
    client.invoke_with_response_stream(FunctionName="boto3-stream", Qualifier="9")
    raise AssertionError("a version that does not exist was streamed")
except client.exceptions.ResourceNotFoundException:
    pass
