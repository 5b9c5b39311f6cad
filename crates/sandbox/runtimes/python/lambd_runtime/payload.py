"""JSON of events and results, by the rules of the official client, which encodes with simplejson:
bytes are text, a named tuple is an object, a Decimal is written as it prints.

The interpreter's C scanner and encoder are used directly, because importing the `json` package
costs a cold start more than the whole exchange.
"""

import marshal
import sys

import _json

_INFINITY = float("inf")
_CONSTANTS = {"NaN": _INFINITY - _INFINITY, "Infinity": _INFINITY, "-Infinity": -_INFINITY}
# A version of the marshal format without references: cheaper, and a cycle is an error.
_MARSHAL_VERSION = 2


class _ScanRules(object):
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _CONSTANTS.__getitem__
    memo = {}


_scan = _json.make_scanner(_ScanRules)


def decode(body):
    """The value of a JSON text in UTF-8; raises ValueError."""
    text = body.decode("utf-8")
    try:
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, SystemError):
        # The scanner cannot word its error before the package is imported, and says only that.
        pass
    # Blanks around the value, or an error: not worth being fast.
    import json

    return json.loads(text)


class Encoder(object):
    def __init__(self, ascii_only):
        self._quote = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
        self._fast = _json.make_encoder(
            None, _default, self._quote, None, ": ", ", ", False, False, True
        )

    def encode(self, value):
        if type(value) is str:
            return self._quote(value)
        try:
            # Refuses any object that is not of a built-in type itself (a named tuple, a Decimal,
            # a subclass); only those need the slow rules below.
            marshal.dumps(value, _MARSHAL_VERSION)
            return "".join(self._fast(value, 0))
        except (TypeError, ValueError):
            pass
        chunks = []
        self._write(value, chunks.append, set())
        return "".join(chunks)

    def _write(self, value, put, open_ids):
        if isinstance(value, str):
            put(self._quote(str.__str__(value)))
        elif isinstance(value, bytes):
            put(self._quote(value.decode("utf-8")))
        elif value is None:
            put("null")
        elif value is True:
            put("true")
        elif value is False:
            put("false")
        elif isinstance(value, int):
            put(int.__repr__(value))
        elif isinstance(value, float):
            put(_float_text(value))
        else:
            self._write_nested(value, put, open_ids)

    def _write_nested(self, value, put, open_ids):
        if id(value) in open_ids:
            raise ValueError("Circular reference detected")
        open_ids.add(id(value))
        if isinstance(value, list):
            self._write_list(value, put, open_ids)
        elif callable(getattr(value, "_asdict", None)):
            fields = value._asdict()
            if not isinstance(fields, dict):
                raise TypeError(
                    "_asdict() must return a dict, not {}".format(type(fields).__name__)
                )
            self._write_dict(fields, put, open_ids)
        elif isinstance(value, tuple):
            self._write_list(value, put, open_ids)
        elif isinstance(value, dict):
            self._write_dict(value, put, open_ids)
        elif _is_decimal(value):
            put("NaN" if value.is_nan() else str(value))
        else:
            _default(value)
        open_ids.discard(id(value))

    def _write_list(self, values, put, open_ids):
        separator = "["
        for value in values:
            put(separator)
            separator = ", "
            self._write(value, put, open_ids)
        put("]" if values else "[]")

    def _write_dict(self, fields, put, open_ids):
        separator = "{"
        for key, value in fields.items():
            put(separator)
            separator = ", "
            put(self._quote(_key_text(key)))
            put(": ")
            self._write(value, put, open_ids)
        put("}" if fields else "{}")


def _key_text(key):
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bytes):
        return key.decode("utf-8")
    if isinstance(key, float):
        return _float_text(key)
    if key is True:
        return "true"
    if key is False:
        return "false"
    if key is None:
        return "null"
    if isinstance(key, int):
        return int.__repr__(key)
    raise TypeError(
        "keys must be str, int, float, bool or None, not {}".format(type(key).__name__)
    )


def _float_text(value):
    if value != value:
        return "NaN"
    if value == _INFINITY:
        return "Infinity"
    if value == -_INFINITY:
        return "-Infinity"
    return float.__repr__(value)


def _is_decimal(value):
    # Nobody can hold a Decimal who has not imported the module.
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def _default(value):
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError("Object of type {} is not JSON serializable".format(type(value).__name__))
