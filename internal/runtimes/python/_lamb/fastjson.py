"""json.loads and json.dumps without importing json.

The module json imports re, enum, functools and collections, which is the
greater part of an empty function's cold start. Its accelerator in C does all
the work for ordinary values; whatever it does not take, or refuses, goes to
json itself, so that results and error messages are the same.
"""

import sys

try:
    import _json
except ImportError:  # another implementation of Python
    _json = None

_BLANKS = " \t\n\r"


class _Settings:
    """What json.JSONDecoder() hands to its scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__


try:
    _scan = _json.make_scanner(_Settings())
except Exception:
    _scan = None


def loads(text):
    if _scan is not None:
        try:
            value, end = _scan(text, len(text) - len(text.lstrip(_BLANKS)))
            if not text[end:].strip(_BLANKS):
                return value
        except Exception:
            pass  # json says what is wrong
    import json

    return json.loads(text)


def dumper(ensure_ascii):
    """Returns a function like json.dumps that also takes decimal.Decimal."""
    try:
        string = _json.encode_basestring_ascii if ensure_ascii else _json.encode_basestring

        def dumps(value):
            if isinstance(value, str):
                return string(value)
            # Containers on the way down, by id, are what finds a circle.
            encode = _json.make_encoder({}, _default, string, None, ": ", ", ", False, False, True)
            return "".join(encode(value, 0))

        if dumps([1, "a", {"b": None}]) == '[1, "a", {"b": null}]':
            return dumps
    except Exception:
        pass  # no accelerator, or one that is called in another way
    import json

    return json.JSONEncoder(ensure_ascii=ensure_ascii, default=_default).encode


def _default(obj):
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(obj, decimal.Decimal):
        return float(obj)
    raise TypeError("Object of type %s is not JSON serializable" % type(obj).__name__)
