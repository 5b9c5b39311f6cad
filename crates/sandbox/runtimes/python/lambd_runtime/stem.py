"""A stem: this process booted before its function is known, and what makes it the function's.

It loads what the official client has loaded before it looks at a function, and nothing else: a
module of the function by the name of any other is found as at a cold start. Nothing below looks
into the folders of a function, so that nothing is remembered as missing.
"""

import importlib
import os
import site
import sys
import time

from . import logs, payload

# Whence comes what describes the function: one line of JSON, {"variables": {...}, "folder": "..."}.
_DESCRIPTOR = 3
_READ_BYTES_MAX = 64 * 1024


def wait():
    """Boots, and returns when this process is the function's; ends it when there will be none."""
    for name in sorted(logs.STANDARD_FIRST):
        importlib.import_module(name)
    # What costs more the first time.
    encode = payload.Encoder(True).encode
    encode({"a": [payload.decode(b'{"b": "\\u00e9"}'), 1.5, None]})
    line = _read_line()
    if not line:
        # Whoever kept it is gone, or has no use for it.
        os._exit(0)
    os.close(_DESCRIPTOR)
    described = payload.decode(line)
    _become(described["variables"], described["folder"])


def _read_line():
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(_DESCRIPTOR, _READ_BYTES_MAX)
        if not chunk:
            return b""
        line += chunk
    return line


def _become(variables, folder):
    # By way of os.environ, so that C code and child processes see them too.
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(folder)
    if site.USER_BASE is not None:
        # Below HOME, which may be another now; no such folder is there yet.
        site.USER_BASE = site.USER_SITE = None
        site.getusersitepackages()
    # What the interpreter does as it starts, and logging as it is loaded.
    logging = sys.modules["logging"]
    if isinstance(logging._startTime, float):
        logging._startTime = time.time()
    else:
        logging._startTime = time.time_ns()
