"""Writes records as the text of a file: a table for spreadsheets, or one JSON object per line."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from numbers import Number

from pydantic import MISSING

from app.domain.schemas.base import ResponseModel

# Spreadsheets take text that begins with one of these for a formula, and run it (OWASP, CSV Injection).
# The last four are the full-width forms of the first four.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Format:
    """How a file of records is written: its beginning, and then each batch of records."""

    media_type: str
    head: Callable[[type[ResponseModel]], str]
    rows: Callable[[Sequence[ResponseModel]], str]


def _csv_head(schema: type[ResponseModel]) -> str:
    return _csv([_columns(schema)])


def _csv_rows(records: Sequence[ResponseModel]) -> str:
    return _csv(_cells(record) for record in records)


def _ndjson_rows(records: Sequence[ResponseModel]) -> str:
    return "".join(f"{record.model_dump_json(by_alias=True)}\n" for record in records)


FORMATS = {
    "csv": Format("text/csv", _csv_head, _csv_rows),
    "ndjson": Format("application/x-ndjson", lambda _: "", _ndjson_rows),
}


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)  # the format of RFC 4180
    return text.getvalue()


@cache
def _columns(schema: type[ResponseModel]) -> Iterable[str]:
    """Returns the names of the columns. A field that may be missing, such as one that `expand` fills, is not one."""
    fields = [(name, field) for name, field in schema.model_fields.items() if field.default is not MISSING]
    names = [field.serialization_alias or name for name, field in fields if not field.exclude]
    return names + [field.alias or name for name, field in schema.model_computed_fields.items()]


def _cells(record: ResponseModel) -> Iterable[str]:
    values = record.model_dump(by_alias=True)
    written = record.model_dump(mode="json", by_alias=True)
    return [_cell(values.get(name), written.get(name)) for name in _columns(type(record))]


def _cell(value: object, written: object) -> str:
    """Writes a value as in JSON, but text without quotes and null as an empty cell."""
    if written is None:
        return ""
    if not isinstance(written, str):
        return json.dumps(written, ensure_ascii=False)
    # Decimals are strings in JSON, and may be negative.
    runs = written.startswith(FORMULAS) and not isinstance(value, Number)
    return f"'{written}" if runs else written
