"""SnapStart: a function's hooks, and where it waits to be resumed.

Functions import this as snapshot_restore_py, the package that AWS's runtime
has, unless they bring that themselves.
"""

_before = []
_after = []


def register_before_snapshot(func, *args, **kwargs):
    """Has func called before the snapshot; the last one registered is first."""
    _before.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Has func called after the restore; the first one registered is first."""
    _after.append((func, args, kwargs))
    return func


def get_before_snapshot():
    return _before


def get_after_restore():
    return _after
