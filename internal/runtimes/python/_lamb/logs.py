"""The handler that Lambda puts on the root logger. Loaded with logging itself."""

import json
import logging
import os
import time
import traceback

from . import event

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}

# What every LogRecord has: other attributes came with `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "aws_request_id",
    "tenant_id",
    "message",
    "asctime",
    "taskName",
}


class LambdaLoggerHandler(logging.Handler):
    """Writes each record as one log event."""

    def emit(self, record):
        try:
            text = self.format(record)
            if text.endswith("\n"):
                text = text[:-1]
            event.write(text, record.created, event.LEVELS.get(record.levelname, 0), configure.as_json)
        except Exception:
            self.handleError(record)


class LambdaLoggerFilter(logging.Filter):
    """Gives each record the ids of the running invocation."""

    def __init__(self, current):
        super().__init__()
        self._current = current

    def filter(self, record):
        record.aws_request_id = self._current.request_id
        record.tenant_id = self._current.tenant_id
        return True


class JsonFormatter(logging.Formatter):
    def format(self, record):
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0]:
            exc_type, exc, tb = record.exc_info
            frames = traceback.extract_tb(tb)
            line["stackTrace"] = traceback.format_list([tuple(f)[:4] for f in frames])
            line["errorType"] = exc_type.__name__
            line["errorMessage"] = str(exc)
            line["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        if record.aws_request_id:
            line["requestId"] = record.aws_request_id
        if record.tenant_id:
            line["tenantId"] = record.tenant_id
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in line:
                line[name] = value
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(current):
    configure.as_json = as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    handler = LambdaLoggerHandler()
    if as_json:
        formatter = JsonFormatter()
    else:
        formatter = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
        formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(LambdaLoggerFilter(current))
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if as_json and level in _LEVELS:
        root.setLevel(_LEVELS[level])
