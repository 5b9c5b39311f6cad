"""Summarises a CSV table: for each column how many values it has, how many different ones, and what range they span."""

import base64
import binascii
import csv
import io
import math
import re
import statistics

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class BadInput(ValueError):
    """The event holds no table that could be summarised. The caller sees this name as `errorType`."""


def lambda_handler(event, context):
    header, rows = read_table(text_of(event), event.get("delimiter", ","))
    columns = {name: summary([row[index] for row in rows]) for index, name in enumerate(header)}
    return {"rows": len(rows), "columns": columns}


def text_of(event):
    """The table's text: `csv` as it is, or `csv_base64`, the bytes of a file."""
    if not isinstance(event, dict) or ("csv" in event) == ("csv_base64" in event):
        raise BadInput("give either csv, a text, or csv_base64, a file's bytes in base64")
    given = event["csv"] if "csv" in event else event["csv_base64"]
    if not isinstance(given, str):
        raise BadInput("csv and csv_base64 must be strings")
    if "csv" in event:
        return given
    try:
        # Spreadsheets put a byte order mark first.
        return base64.b64decode(given, validate=True).decode("utf-8-sig")
    except binascii.Error as error:
        raise BadInput(f"csv_base64 is not base64: {error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"the file is not UTF-8: {error}") from error


def read_table(text, delimiter):
    """Splits the text into its header and its rows, all of the same length."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = next(reader, [])
        rows = []
        for row in reader:
            if len(row) not in (0, len(header)):
                raise BadInput(f"line {reader.line_num} has {len(row)} values, the header {len(header)}")
            if row:
                rows.append(row)
    except csv.Error as error:
        raise BadInput(f"line {reader.line_num}: {error}") from error
    except TypeError as error:
        raise BadInput(f"delimiter must be one character: {error}") from error
    if not header:
        raise BadInput("there is no header line")
    if len(set(header)) < len(header):
        raise BadInput("two columns have the same name")
    return header, rows


def summary(values):
    """A column of numbers has a mean; of anything else, the range is alphabetical. Empty values do not count."""
    present = [value.strip() for value in values if value.strip()]
    if not present:
        return {"count": 0, "distinct": 0}
    answer = {"count": len(present), "distinct": len(set(present))}
    numbers = [float(value) for value in present if NUMBER.fullmatch(value)]
    if len(numbers) == len(present) and all(map(math.isfinite, numbers)):
        answer.update(min=min(numbers), max=max(numbers), mean=statistics.fmean(numbers))
    else:
        answer.update(min=min(present), max=max(present))
    return answer
