"""Log events on their way out: as frames where lamb gives a descriptor for them."""

import os
import sys
import time

from . import log_fd

# Of AWS's names and Python's.
LEVELS = {"TRACE": 1, "DEBUG": 2, "INFO": 3, "WARN": 4, "WARNING": 4, "ERROR": 5, "FATAL": 6, "CRITICAL": 6}

_TEXT = 1
_TIMED = 2
_MAGIC = 0xA55A0000


def write(text, seconds=None, level=0, as_json=False):
    """Writes one event, which may have several lines."""
    if log_fd is None:
        # A line feed would end the event.
        sys.stdout.write(text.replace("\n", "\r") + "\n")
        sys.stdout.flush()
        return
    sys.stdout.flush()  # what was printed before
    message = text.encode("utf-8", "replace")
    micros = int((time.time() if seconds is None else seconds) * 1000000)
    kind = _MAGIC | level << 2 | _TIMED | (0 if as_json else _TEXT)
    frame = b"%s%s%s%s" % (kind.to_bytes(4, "big"), len(message).to_bytes(4, "big"), micros.to_bytes(8, "big"), message)
    while frame:
        frame = frame[os.write(log_fd, frame) :]
