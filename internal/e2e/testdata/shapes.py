"""Reads requests to the Lambda API, a line of JSON each (method, path, body),
and has botocore check each as it checks its own: that there is such an
operation, with these members, of these types, within these limits."""

import base64
import json
import re
import sys
import urllib.parse

import botocore.session
from botocore.validate import ParamValidator

service = botocore.session.Session().get_service_model("lambda")
operations = []
for name in service.operation_names:
    operation = service.operation_model(name)
    path = operation.http["requestUri"].split("?")[0].rstrip("/")
    form = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
    operations.append((operation, re.compile("^" + form + "/?$")))


def value(shape, given):
    """What botocore takes for a member, from JSON."""
    if shape.type_name == "blob":
        return base64.b64decode(given)
    if shape.type_name == "list":
        return [value(shape.member, v) for v in given]
    if shape.type_name == "structure":
        return {k: value(shape.members[k], v) for k, v in given.items()}
    return given


def check(method, path, body):
    url = urllib.parse.urlsplit(path)
    found = [(o, m) for o, form in operations if o.http["method"] == method and (m := form.match(url.path))]
    assert len(found) == 1, f"{method} {path} is {len(found)} operations"
    operation, match = found[0]
    shape = operation.input_shape
    places = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
    params = {}
    for place, text in [*match.groupdict().items(), *urllib.parse.parse_qsl(url.query)]:
        name, member = places[place]
        text = urllib.parse.unquote(text)
        params[name] = int(text) if member.type_name in ("integer", "long") else text
    if "payload" in shape.serialization:
        params[shape.serialization["payload"]] = body
    elif body:
        params.update(value(shape, json.loads(body)))
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), f"{operation.name}: {report.generate_report()}"
    return operation.name


print(*[check(**json.loads(line)) for line in sys.stdin])
