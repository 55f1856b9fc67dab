"""Finds the handler, then answers invocations until the process ends."""

import importlib
import os
import sys

import _lamb

from . import fastjson
from .client import Client
from .context import LambdaContext


class Current:
    """The running invocation, for log lines."""

    request_id = ""
    tenant_id = None


class Fault(Exception):
    """An error that the runtime itself finds; lamb_fault is (type, message, stack)."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.lamb_fault = (kind, message, list(stack))


def run(here):
    task = os.environ.get("LAMBDA_TASK_ROOT") or os.getcwd()
    os.chdir(task)
    sys.path[:] = _search_path(task, here)
    for stream, errors in ((sys.stdout, "strict"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=errors, line_buffering=True)
    _lamb.log_fd = _log_descriptor()
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    current = Current()
    _on_import_of_logging(current)
    sys.meta_path.append(_SnapshotHooks)
    try:
        handler = _find_handler(os.environ.get("_HANDLER", ""))
    except Exception as e:
        report = _report(e, "")
        _flush()
        client.post("init/error", report.body(), report.init_headers())
        sys.exit(1)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from .snapstart import wait

        wait(client, _report, _flush)
    encode = _encoder()
    while True:
        status, headers, body = client.next()
        if status != 200:
            sys.stderr.write("lamb: the Runtime API answered %d to next\n" % status)
            sys.exit(1)
        _serve(client, handler, encode, current, headers, body)
        del body


def _log_descriptor():
    """The descriptor for framed log events, if there is one: it is not for the
    function, nor for its children."""
    try:
        fd = int(os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", ""))
        os.set_inheritable(fd, False)
        return fd
    except (ValueError, OSError):  # whatever started this program has closed it
        return None


def _serve(client, handler, encode, current, headers, body):
    request_id = headers.get("lambda-runtime-aws-request-id", "")
    current.request_id = request_id
    current.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
    trace = headers.get("lambda-runtime-trace-id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        answer = _invoke(handler, encode, headers, body)
        path = "response"
        answer_headers = (("Content-Type", "application/json"),)
    except Exception as e:  # SystemExit and the like end the process
        report = _report(e, request_id)
        answer = report.body()
        path = "error"
        answer_headers = report.headers()
    _flush()
    status = client.post("invocation/%s/%s" % (request_id, path), answer, answer_headers)
    if status >= 500:
        sys.exit(1)


def _invoke(handler, encode, headers, body):
    try:
        event = fastjson.loads(body.decode("utf-8"))
    except Exception as e:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e) from None
    result = handler(event, LambdaContext(headers))
    try:
        return encode(result).encode("utf-8")
    except Exception as e:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % e) from None


def _encoder():
    """json.dumps as AWS's runtimes do it: text stays as it is from 3.12 on."""
    name = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python3.")[2]
    minor = int(name) if name.isdigit() else sys.version_info[1]
    return fastjson.dumper(ensure_ascii=minor < 12)


def _find_handler(handler):
    try:
        module, function = handler.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (handler, e)) from None
    name = module.replace("/", ".")
    if name.partition(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module,
        )
    try:
        loaded = importlib.import_module(name)
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module, e)) from None
    except SyntaxError as e:
        at = '  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)
        raise Fault("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module, e), [at]) from None
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, module)
        ) from None


def _search_path(task, here):
    """sys.path as on AWS: the function, its layers, then the interpreter's.

    Where the layers and the SDKs are, if not where AWS has them, comes in two
    variables that the function does not get to see.
    """
    opt = os.environ.pop("LAMB_OPT_DIR", "/opt") + "/python"
    sdk = os.environ.pop("LAMB_SDK_PATH", "")
    versions = ["%d.%d" % sys.version_info[:2]]
    wanted = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python")[2]
    if wanted and wanted not in versions and wanted.replace(".", "").isdigit():
        versions.insert(0, wanted)
    path = [task]
    path += ["%s/lib/python%s/site-packages" % (opt, v) for v in versions]
    path.append(opt)
    path += [p for p in sys.path[1:] if p not in path and p != here]
    if here in sys.path[1:]:
        path.append(here)
    path += [p for p in sdk.split(":") if p and p not in path]
    return path


def _report(exc, request_id):
    from .errors import Report

    report = Report(exc, request_id)
    report.log(os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON")
    return report


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed or replaced by the function: nothing is left to write


class _SnapshotHooks:
    """Finds snapshot_restore_py, which AWS's runtime has, when nobody else does."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "snapshot_restore_py":
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, os.path.dirname(__file__) + "/snapshot.py")


class _LoggingHook:
    """A finder that configures logging when the function first imports it.

    Importing it ahead would cost every cold start several milliseconds, and
    many functions never use it.
    """

    def __init__(self, current):
        self._current = current

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        from importlib.machinery import PathFinder

        # The standard library's, also where the function ships a module of
        # that name: on AWS it is loaded before the function is.
        spec = PathFinder.find_spec(name, [os.path.dirname(os.__file__)])
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                _configure_logging(self._current)

            spec.loader.exec_module = exec_module
        return spec


def _on_import_of_logging(current):
    if "logging" in sys.modules:
        _configure_logging(current)
    else:
        sys.meta_path.insert(0, _LoggingHook(current))


def _configure_logging(current):
    from .logs import configure

    configure(current)
