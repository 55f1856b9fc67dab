"""The way of a function with SnapStart from its init to its first event.

Imported for such functions only.
"""

import sys

# What AWS's runtime exits with.
_BEFORE_FAILED = 64
_AFTER_FAILED = 65


def wait(client, report, flush):
    """Runs the hooks before a snapshot, waits to be resumed, and runs the others."""
    hooks = sys.modules.get("snapshot_restore_py")
    try:
        before = hooks.get_before_snapshot() if hooks else []
        while before:
            func, args, kwargs = before.pop()
            func(*args, **kwargs)
    except Exception as e:
        _fail(client, report, flush, e, "init/error", _BEFORE_FAILED)
    flush()
    status = client.restore_next()
    if status != 200:
        sys.stderr.write("lamb: the Runtime API answered %d to restore/next\n" % status)
        sys.exit(1)
    try:
        for func, args, kwargs in hooks.get_after_restore() if hooks else []:
            func(*args, **kwargs)
    except Exception as e:
        _fail(client, report, flush, e, "restore/error", _AFTER_FAILED)


def _fail(client, report, flush, exc, path, code):
    r = report(exc, "")
    flush()
    client.post(path, r.body(), r.init_headers())
    sys.exit(code)
