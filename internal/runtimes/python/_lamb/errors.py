"""Errors as the Runtime API and the log show them. Imported on the first one."""

import json
import os
import time
import traceback

from . import event

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The API takes causes up to 64 KiB; room is left for the other headers.
_MAX_CAUSE = 48 * 1024

# A log line that begins with blanks would be taken as a new, indented event
# by some readers, so AWS's runtime indents with NO-BREAK SPACE.
_INDENT = "\u00a0"


class Report:
    """One error: its JSON document, its X-Ray cause and its log line."""

    def __init__(self, exc, request_id):
        fault = getattr(exc, "lamb_fault", None)
        if fault is not None:
            self.type, self.message, self.stack = fault
            self.frames = []
            cause_type = "LambdaValidationError"
        else:
            self.type = type(exc).__name__
            self.message = _text(exc)
            self.frames = _frames(exc)
            self.stack = [_format(f) for f in self.frames]
            cause_type = self.type
        self.request_id = request_id
        self._cause_type = cause_type

    def document(self):
        return {
            "errorMessage": self.message,
            "errorType": self.type,
            "requestId": self.request_id,
            "stackTrace": self.stack,
        }

    def body(self):
        return dump(self.document())

    def headers(self):
        """Of an invocation's error. Like AWS's client, it sends no type: that is
        the service's to word."""
        headers = [("Content-Type", "application/json")]
        cause = self._cause()
        if cause:
            headers.append(("Lambda-Runtime-Function-XRay-Error-Cause", cause))
        return headers

    def init_headers(self):
        """Of an initialization's or a restore's error."""
        headers = [("Content-Type", "application/json")]
        # A class name may be any Unicode identifier; a header may not.
        if self.type.isascii() and self.type.isprintable():
            headers.append(("Lambda-Runtime-Function-Error-Type", self.type))
        return headers

    def _cause(self):
        frames = self.frames
        while True:
            cause = json.dumps(
                {
                    "working_directory": os.getcwd(),
                    "exceptions": [
                        {
                            "message": self.message[:4096],
                            "type": self._cause_type,
                            "stack": [{"label": f[2], "path": f[0], "line": f[1]} for f in frames],
                        }
                    ],
                    "paths": sorted({f[0] for f in frames}),
                }
            )
            if len(cause) <= _MAX_CAUSE:
                return cause
            if not frames:
                return ""
            frames = frames[: len(frames) // 2]

    def log(self, as_json):
        """Writes the error as one event."""
        if as_json:
            document = {
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "level": "ERROR",
            }
            document.update(self.document())
            line = dump(document).decode("utf-8", "replace")
        else:
            line = "\n".join(self._lines())
        try:
            event.write(line, level=event.LEVELS["ERROR"], as_json=as_json)
        except Exception:
            pass  # the function may have closed or replaced sys.stdout; its error still goes out

    def _lines(self):
        head = "[ERROR]"
        if self.type:
            head += " " + self.type
        if self.message:
            head += (":" if self.type else "") + " " + self.message
        yield from head.split("\n")
        yield "Traceback (most recent call last):"
        for entry in self.stack:
            for line in entry.splitlines():
                text = line.lstrip(" ")
                yield _INDENT * (len(line) - len(text)) + text


def dump(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _text(exc):
    try:
        return str(exc)
    except Exception:
        return "<exception str() failed>"


def _frames(exc):
    """(path, line, function, source) of each frame, the runtime's own left out."""
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(exc.__traceback__)]
    own = 0
    while own < len(frames) and frames[own][0].startswith(_HERE + "/"):
        own += 1
    return frames[own:]


def _format(frame):
    text = '  File "%s", line %s, in %s\n' % frame[:3]
    return text + "    %s\n" % frame[3].strip() if frame[3] else text
