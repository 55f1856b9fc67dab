import os


def handler(event, context):
    match event.get("conform"):
        case "error":
            raise ValueError("as asked for")
        case "trace":
            return os.environ.get("_X_AMZN_TRACE_ID")
        case "large":
            return "x" * 7_000_000
    return event
