"""CloudWatch Logs with boto3: python cwlogs.py URL CODE.zip"""
import sys
import time

import boto3
from botocore.config import Config

url, path = sys.argv[1:]
NAME = "boto3-logs"
GROUP = "/aws/lambda/" + NAME
ARN = "arn:aws:logs:us-east-1:000000000000:log-group:" + GROUP
settings = dict(
    endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(retries={"total_max_attempts": 1}),
)
functions, logs = boto3.client("lambda", **settings), boto3.client("logs", **settings)


def equal(what, got, want):
    assert got == want, f"{what} is {got!r}, want {want!r}"


def refused(error, text, call, **arguments):
    try:
        call(**arguments)
    except error as e:
        equal("status", e.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        assert text in e.response["Error"]["Message"], e.response
        return
    raise AssertionError(f"{call} was not refused: {arguments}")


# What Terraform does around a function: the group first, with a retention.
logs.create_log_group(logGroupName=GROUP, tags={"team": "a"})
refused(logs.exceptions.ResourceAlreadyExistsException, "already exists", logs.create_log_group, logGroupName=GROUP)
logs.put_retention_policy(logGroupName=GROUP, retentionInDays=14)
[group] = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
equal("group", (group["logGroupName"], group["arn"], group["retentionInDays"]), (GROUP, ARN + ":*", 14))
if hasattr(logs, "list_tags_for_resource"):
    logs.tag_resource(resourceArn=ARN, tags={"cost": "none"})
    logs.untag_resource(resourceArn=ARN, tagKeys=["team"])
    equal("tags", logs.list_tags_for_resource(resourceArn=ARN)["tags"], {"cost": "none"})
equal("streams", logs.describe_log_streams(logGroupName=GROUP)["logStreams"], [])

with open(path, "rb") as f:
    functions.create_function(
        FunctionName=NAME, Runtime="provided.al2023", Handler="h", Role="arn:aws:iam::000000000000:role/e2e",
        Code={"ZipFile": f.read()}, Timeout=30,
    )
functions.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
started = int(time.time() * 1000)
# With its log, the answer waits until the environment is free for the next.
requests = [functions.invoke(FunctionName=NAME, LogType="Tail")["ResponseMetadata"]["RequestId"] for _ in range(3)]


def messages(events):
    return [e["message"] for e in events]


# The last invocation's report comes after its answer.
for _ in range(100):
    reports = logs.filter_log_events(logGroupName=GROUP, filterPattern="REPORT", startTime=started)["events"]
    if len(reports) == 3:
        break
    time.sleep(0.05)
equal("reports", [m.split()[2] for m in messages(reports)], requests)
pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 2})
everything = [e for page in pages for e in page["events"]]
assert len({e["eventId"] for e in everything}) == len(everything) >= 9, everything
assert messages(everything)[-1].startswith("REPORT RequestId: " + requests[-1]), everything
found = logs.filter_log_events(logGroupName=GROUP, filterPattern=f'"{requests[1]}" -REPORT -END')["events"]
assert [m.split()[0] for m in messages(found)] == ["START"], found

# Invocations may have run in several environments, each with a stream of its own.
streams = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
stream = next(s for s in streams if s["logStreamName"] == everything[-1]["logStreamName"])
assert stream["arn"] == ARN + ":log-stream:" + stream["logStreamName"], stream
assert stream["firstEventTimestamp"] <= stream["lastEventTimestamp"], stream
mine = messages(e for e in everything if e["logStreamName"] == stream["logStreamName"])
where = dict(logGroupName=GROUP, logStreamName=stream["logStreamName"])
head = logs.get_log_events(startFromHead=True, limit=2, **where)
rest = logs.get_log_events(nextToken=head["nextForwardToken"], **where)
equal("all by stream", messages(head["events"] + rest["events"]), mine)
end = logs.get_log_events(nextToken=rest["nextForwardToken"], **where)
equal("the end", (end["events"], end["nextForwardToken"]), ([], rest["nextForwardToken"]))
equal("the newest", messages(logs.get_log_events(limit=1, **where)["events"]), mine[-1:])
refused(logs.exceptions.ResourceNotFoundException, "log stream does not exist", logs.get_log_events, logGroupName=GROUP, logStreamName="no")
refused(logs.exceptions.InvalidParameterException, "Invalid filter pattern", logs.filter_log_events, logGroupName=GROUP, filterPattern='"')

logs.delete_log_group(logGroupName=GROUP)
refused(logs.exceptions.ResourceNotFoundException, "log group does not exist", logs.filter_log_events, logGroupName=GROUP)
functions.delete_function(FunctionName=NAME)
