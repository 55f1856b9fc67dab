"""A Lambda function in Python, written as for AWS: the same zip runs there and here."""

import os
import platform


def lambda_handler(event, context):
    name = event.get("name", "world")
    print(f"greeting {name} from process {os.getpid()}")
    return {
        "message": f"Hello, {name}!",
        "function": context.function_name,
        "requestId": context.aws_request_id,
        "runtime": f"Python {platform.python_version()}",
        "remainingMs": context.get_remaining_time_in_millis(),
    }
