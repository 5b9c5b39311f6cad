"""The life of the runtime: prepare, find the handler, then event after event.

Texts and shapes are those of AWS's own client (awslambdaric 4.2). Nothing is read from the
environment at import, so that a process may be booted before its function is known.
"""

import os
import sys

from . import logs, payload, wire
from .context import LambdaContext

_UNHANDLED = (
    "LAMBDA_WARNING: Unhandled exception. "
    "The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior. "
    "For functions using managed runtimes, runtime updates can be triggered by a function change, "
    "or can be applied automatically. "
    "To determine if the runtime has been updated, check the runtime version in the INIT_START "
    "log entry. "
    "If this error correlates with a change in the runtime version, you may be able to mitigate "
    "this error by temporarily rolling back to the previous runtime version. "
    "For more information, see "
    "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)
# From this runtime on results are UTF-8 rather than ASCII with escapes.
_UTF8_RUNTIMES = frozenset("AWS_Lambda_python3.{}".format(minor) for minor in range(12, 16))
# The Runtime API takes no longer header than this.
_XRAY_CAUSE_BYTES_MAX = 1024 * 1024


class Fault(Exception):
    """An error of the function that is told by a text of its own rather than by a traceback."""

    def __init__(self, error_type, message, trace=None):
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace


def main():
    """Serves the function that `os.environ` describes. Returns never; a fault of init exits 1."""
    standard_path = _set_up_path(os.environ)
    sys.stdout = logs.Unbuffered(sys.stdout)
    sys.stderr = logs.Unbuffered(sys.stderr)
    encoder = payload.Encoder(os.environ.get("AWS_EXECUTION_ENV") not in _UTF8_RUNTIMES)
    function_logs = logs.Logs(os.environ, encoder.encode)
    function_logs.install(standard_path)
    _run(wire.Client(os.environ["AWS_LAMBDA_RUNTIME_API"]), function_logs, encoder)


def _run(client, function_logs, encoder):
    try:
        handler = _find_handler(os.environ["_HANDLER"])
    except Exception as error:
        if isinstance(error, Fault):
            told = _error(error.message, error.error_type, error.trace)
        else:
            told = _error_of_exception(error, _frames(error))
        import logging

        logging.warning(_UNHANDLED)
        function_logs.log_error(told)
        client.post_init_error(encoder.encode(told).encode("utf-8"), told["errorType"])
        sys.exit(1)
    while True:
        _serve(client, handler, function_logs, encoder)


def _set_up_path(environ):
    """AWS's order: the function, its layers, then the runtime and the standard library."""
    standard_path = list(sys.path)
    task_root = environ.get("LAMBDA_TASK_ROOT", "/var/task")
    runtime_dir = environ.get("LAMBDA_RUNTIME_DIR", sys.path[0])
    layers = []
    # Unless the user has set another; behind the runtime's folder may stand packages of this machine.
    if environ.setdefault("PYTHONPATH", runtime_dir).split(":")[0] == runtime_dir:
        opt = environ.get("LAMBD_OPT", "/opt")
        layers = [
            "{}/python/lib/python{}.{}/site-packages".format(opt, *sys.version_info[:2]),
            opt + "/python",
        ]
    sys.path[0:0] = [task_root] + layers
    import site

    # So that *.pth files in these folders count.
    for folder in [task_root] + layers:
        site.addsitedir(folder)
    return standard_path


def _find_handler(handler):
    try:
        module_name, function_name = handler.rsplit(".", 1)
    except ValueError as error:
        raise Fault(
            "Runtime.MalformedHandlerName", "Bad handler '{}': {}".format(handler, error)
        )
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            raise Fault(
                "Runtime.BuiltInModuleConflict",
                "Cannot use built-in module {} as a handler module".format(module_name),
            )
        import importlib

        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError",
            "Unable to import module '{}': {}".format(module_name, error),
        )
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '{}': {}".format(module_name, error),
            ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)],
        )
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            "Handler '{}' missing on module '{}'".format(function_name, module_name),
        )


def _serve(client, handler, function_logs, encoder):
    event = client.next()
    headers = event.headers
    request_id = headers.get("lambda-runtime-aws-request-id")
    function_logs.request_id = request_id
    function_logs.tenant_id = headers.get("lambda-runtime-aws-tenant-id") or None
    trace_id = headers.get("lambda-runtime-trace-id")
    if trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        context = LambdaContext(
            request_id,
            _header_json(headers.get("lambda-runtime-client-context"), "Client Context"),
            _header_json(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity"),
            int(headers.get("lambda-runtime-deadline-ms") or 0),
            headers.get("lambda-runtime-invoked-function-arn"),
            function_logs.tenant_id,
            function_logs.sink.log,
        )
        result, content_type = _marshal(encoder, handler(_unmarshal(event), context))
    except Exception as error:
        if isinstance(error, Fault):
            told = _error(error.message, error.error_type, error.trace, request_id)
            cause = _xray_cause("LambdaValidationError", error.message, [])
        else:
            frames = _frames(error)
            told = _error_of_exception(error, frames, request_id)
            cause = _xray_cause(type(error).__name__, str(error), frames)
        function_logs.log_error(told)
        cause = encoder.encode(cause)
        if len(cause.encode("utf-8")) >= _XRAY_CAUSE_BYTES_MAX:
            cause = ""
        client.post_error(request_id, encoder.encode(told).encode("utf-8"), cause)
    else:
        if not isinstance(result, bytes):
            result = result.encode("utf-8")
        client.post_result(request_id, result, content_type)


def _unmarshal(event):
    if event.headers.get("content-type", "application/json") != "application/json":
        return event.body
    try:
        return payload.decode(event.body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: {}".format(error))


def _marshal(encoder, result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encoder.encode(result), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: {}".format(error))


def _header_json(text, name):
    if not text:
        return None
    try:
        return payload.decode(text.encode("utf-8"))
    except Exception as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError",
            "Unable to parse {} JSON: {}".format(name, error),
        )


def _error(message, error_type, trace, request_id=None):
    return {
        "errorMessage": message or "",
        "errorType": error_type or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def _error_of_exception(error, frames, request_id=None):
    import traceback

    return _error(str(error), type(error).__name__, traceback.format_list(frames), request_id)


def _frames(error):
    """The traceback below this client, as plain tuples: AWS's text shows no column markers."""
    import traceback

    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    for index, frame in enumerate(frames):
        # By the name alone, as AWS does: a leading file of the function so called goes too.
        if "/bootstrap.py" not in frame[0]:
            return frames[index:]
    return frames


def _xray_cause(error_type, message, frames):
    return {
        "working_directory": os.getcwd(),
        "exceptions": [
            {
                "message": message,
                "type": error_type,
                "stack": [
                    {"label": name, "path": path, "line": line} for path, line, name, _ in frames
                ],
            }
        ],
        "paths": list({frame[0] for frame in frames}),
    }
