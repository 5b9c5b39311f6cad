"""What a function logs: the sinks, the handler on the root logger, and the lines of an error.

`logging` is not imported until the function does, or an error must be told: a cold start saves a
third of its imports. `install` catches that moment.
"""

import os
import sys
import time

_FRAME_JSON = 0xA55A0002
_FRAME_TEXT = 0xA55A0003
# Standard library modules, all of them in every version, which the official client has loaded before the function's folder is on
# the path, so that a function's file of the same name never shadows them.
STANDARD_FIRST = frozenset(
    "collections contextlib copyreg decimal enum functools importlib json keyword linecache logging "
    "math numbers operator re reprlib string textwrap threading token tokenize traceback types "
    "warnings weakref".split()
)


class Unbuffered(object):
    """Standard output or error, each write of which is seen at once."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, exc_tb):
        pass

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, msg):
        self.stream.write(msg)
        self.stream.flush()

    def writelines(self, msgs):
        self.stream.writelines(msgs)
        self.stream.flush()


class _StandardSink(object):
    def log(self, text, frame_type=None):
        sys.stdout.write(text)

    def log_error(self, lines, frame_type):
        # A carriage return does not end a log event, so the traceback stays one.
        sys.stdout.write("\r".join(lines) + "\n")


class _FramedSink(object):
    """Frames on a descriptor: type, length, microseconds since the epoch (big-endian), message."""

    def __init__(self, fd):
        self._fd = fd

    def log(self, text, frame_type=None):
        message = text.encode("utf8")
        frame = (
            (frame_type or _FRAME_TEXT).to_bytes(4, "big")
            + len(message).to_bytes(4, "big")
            + (time.time_ns() // 1000).to_bytes(8, "big")
            + message
        )
        while frame:
            frame = frame[os.write(self._fd, frame) :]

    def log_error(self, lines, frame_type):
        self.log("\n".join(lines), frame_type)


class Logs(object):
    """Everything the client itself writes, and the state that log lines carry."""

    def __init__(self, environ, to_json):
        self.request_id = None
        self.tenant_id = None
        self._to_json = to_json
        self._is_json = (environ.get("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON"
        level = environ.get("AWS_LAMBDA_LOG_LEVEL", "")
        self._level = ("DEBUG" if level == "TRACE" else level).upper()
        fd = environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
        self.sink = _StandardSink() if fd is None else _FramedSink(int(fd))

    def install(self, standard_path):
        """Sets up the root logger now, or as soon as somebody imports `logging`."""
        if "logging" in sys.modules:
            self._set_up(sys.modules["logging"])
        sys.meta_path.insert(0, _StandardFinder(standard_path, self._set_up))

    def log_error(self, error):
        if self._is_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            entry = {"timestamp": stamp, "level": "ERROR"}
            entry.update(error)
            self.sink.log_error([self._to_json(entry)], _frame_type(_FRAME_JSON, 40))
        else:
            self.sink.log_error(_error_lines(error), _frame_type(_FRAME_TEXT, 40))

    def _set_up(self, logging):
        logging.Formatter.converter = time.gmtime
        root = logging.getLogger()
        handler = _make_handler(logging, self, self._is_json or bool(self._level))
        if self._is_json:
            handler.setFormatter(_make_json_formatter(logging))
        else:
            handler.setFormatter(
                logging.Formatter(
                    "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                    "%Y-%m-%dT%H:%M:%S",
                )
            )
        if self._level in logging._nameToLevel:
            root.setLevel(self._level)
        root.addHandler(handler)


def _make_handler(logging, logs, with_level):
    class LambdaLoggerHandler(logging.Handler):
        log_sink = logs.sink

        def emit(self, record):
            self.log_sink.log(self.format(record))

    class LambdaLoggerHandlerWithFrameType(LambdaLoggerHandler):
        def emit(self, record):
            text = self.format(record)
            frame_type = getattr(record, "_frame_type", None)
            if frame_type is None:
                frame_type = _frame_type(_FRAME_TEXT, _rounded(record.levelno))
            self.log_sink.log(text, frame_type)

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = logs.request_id or ""
            record.tenant_id = logs.tenant_id
            return True

    handler = LambdaLoggerHandlerWithFrameType() if with_level else LambdaLoggerHandler()
    handler.addFilter(LambdaLoggerFilter())
    return handler


def _make_json_formatter(logging):
    import json
    import traceback

    reserved = set(vars(logging.makeLogRecord({}))) - {"taskName"}
    reserved.update(("aws_request_id", "tenant_id", "_frame_type"))
    # default=str: a value that JSON does not know must not lose the whole line.
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    class JsonFormatter(logging.Formatter):
        def __init__(self):
            super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")

        def format(self, record):
            record.levelno = _rounded(record.levelno)
            record.levelname = logging.getLevelName(record.levelno)
            record._frame_type = _frame_type(_FRAME_JSON, record.levelno)
            is_object = isinstance(record.msg, dict) and not record.args
            line = {
                "timestamp": self.formatTime(record, self.datefmt),
                "level": record.levelname,
                "message": record.msg if is_object else record.getMessage(),
                "logger": record.name,
                "stackTrace": None,
                "errorType": None,
                "errorMessage": None,
                "requestId": getattr(record, "aws_request_id", None),
                "location": None,
            }
            if record.exc_info:
                kind, value, trace = record.exc_info
                line["stackTrace"] = traceback.format_tb(trace)
                line["errorType"] = kind.__name__ if kind else None
                line["errorMessage"] = str(value) if kind else None
                line["location"] = "{}:{}:{}".format(
                    record.pathname, record.funcName, record.lineno
                )
            if getattr(record, "tenant_id", None) is not None:
                line["tenantId"] = record.tenant_id
            for name, value in vars(record).items():
                if name not in reserved and name not in line:
                    line[name] = value
            return encode({k: v for k, v in line.items() if v is not None}) + "\n"

    return JsonFormatter()


def _rounded(level):
    return min(50, max(0, level)) // 10 * 10


def _frame_type(base, level):
    # 0 NOTSET, 8 DEBUG, 12 INFO, 16 WARNING, 20 ERROR, 24 CRITICAL: the level is in the low bits.
    return base + {10: 8, 20: 12, 30: 16, 40: 20, 50: 24}.get(level, 0)


def _error_lines(error):
    head = "[ERROR]"
    if error["errorType"]:
        head += " " + error["errorType"]
    if error["errorMessage"]:
        head += (": " if error["errorType"] else " ") + error["errorMessage"]
    lines = [head, "Traceback (most recent call last):"]
    for entry in error["stackTrace"]:
        if entry == "":
            lines.append("")
        for line in entry.splitlines():
            text = line.lstrip(" ")
            # No-break spaces, or the log viewer would swallow the indentation.
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    return lines


class _StandardFinder(object):
    """Finds what `STANDARD_FIRST` names in the standard library, whatever the function ships."""

    def __init__(self, standard_path, on_logging):
        from _frozen_importlib_external import PathFinder

        self._find = PathFinder.find_spec
        self._path = standard_path
        self._on_logging = on_logging

    def find_spec(self, name, path=None, target=None):
        if name not in STANDARD_FIRST:
            return None
        spec = self._find(name, self._path)
        if name == "logging" and spec is not None and self._on_logging is not None:
            run, then = spec.loader.exec_module, self._on_logging
            self._on_logging = None

            def exec_module(module):
                run(module)
                then(module)

            spec.loader.exec_module = exec_module
        return spec

    def invalidate_caches(self):
        pass
