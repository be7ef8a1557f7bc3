"""Values for the existing rows when a column becomes required."""

import datetime as dt
import json
import shlex
import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from importlib import import_module
from typing import Annotated, Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from scripts.template.difference import Difference
from scripts.template.render import Files
from scripts.template.tables import importing_from, project_with


def fills(difference: Difference, backfill: str, resource: str, files: Files) -> dict[str, str]:
    """Returns Python code by column. Raises SystemExit with one sentence if a value is missing or wrong."""
    values = parsed(backfill, difference.required)
    for column in difference.required:
        if is_unique(difference, column):
            refuse_unique(difference, column)
        elif column not in values:
            values[column] = asked(column, difference.table)
    return coded(values, resource, files) if values else {}


def parsed(backfill: str, required: list[str]) -> dict[str, str]:
    """Parses `due=2026-01-01 note='two words'`. A reference can be named by its field or by its column."""
    columns = {label: column for column in required for label in (column, column.removesuffix("_id"))}
    values = {}
    for word in split(backfill):
        label, equals, value = word.partition("=")
        if not equals:
            sys.exit(f"'{word}' is no backfill: write field=value, such as backfill='due=2026-01-01'.")
        if label not in columns:
            sys.exit(f"'{label}' takes no backfill: only a field that becomes required, and has no default, needs one.")
        values[columns[label]] = value
    return values


def split(backfill: str) -> list[str]:
    """Splits at blanks outside of quotation marks. Raises SystemExit with one sentence if a mark is not closed."""
    try:
        return shlex.split(backfill)
    except ValueError:
        sys.exit("A quotation mark in backfill= is not closed: close it.")


def is_unique(difference: Difference, column: str) -> bool:
    """Returns whether a unique index consists of this column alone."""
    assert difference.after is not None
    return any(index.unique and list(index.columns.keys()) == [column] for index in difference.after.indexes)


def refuse_unique(difference: Difference, column: str) -> None:
    """Raises SystemExit for a new column. An existing one has its own values, which the database checks."""
    if column in [new.name for new in difference.added]:
        sys.exit(
            f"{column} is unique and required, so no single value can fill all rows of {difference.table}: "
            "add it as optional (?), give each row its own value, then make it required."
        )


def asked(column: str, table: str) -> str:
    """Asks the user for the value. Raises SystemExit with one sentence if there is no terminal, or no input."""
    question = f"{column} is required: which value should the existing rows of {table} get? "
    if sys.stdin.isatty() and (value := input(question)):
        return value
    sys.exit(
        f"{column} is required, and the existing rows of {table} need a value: give it with "
        f"backfill='{column}=...', or give the field a default, or make it optional with ?."
    )


def coded(values: Mapping[str, str], resource: str, files: Files) -> dict[str, str]:
    """Validates the values like those of a request, and returns them as Python code."""
    with project_with(files) as folder, importing_from(folder):
        schemas = import_module(f"app.domain.schemas.{resource}")
        class_name = "".join(word.capitalize() for word in resource.split("_"))
        known = getattr(schemas, f"{class_name}Response").model_fields
        known = known | getattr(schemas, f"{class_name}Create").model_fields
        return {column: code(value_of(column, value, known[column])) for column, value in values.items()}


def value_of(column: str, value: str, field: FieldInfo) -> Any:
    """Reads the value as a string, or as JSON if the type takes no string. Raises SystemExit if neither is valid."""
    kind: Any = Annotated[field.annotation, field]
    fault = ""
    for text in (json.dumps(value), value):
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError as error:
            fault = fault or error.errors()[0]["msg"]
    sys.exit(f"The backfill of {column} does not fit its type: {fault}.")


def code(value: Any) -> str:
    """Returns the Python code of a value, of any type that a field can have."""
    match value:
        case dt.datetime():
            return f'dt.datetime.fromisoformat("{value.isoformat()}")'
        case dt.date():
            return f'dt.date.fromisoformat("{value.isoformat()}")'
        case Decimal():
            text = f"{value:f}"
            return f'Decimal("{text}")' if "." in text else f"Decimal({text})"
        case UUID():
            return f'UUID("{value}")'
        case Enum():
            return repr(value.value)
        case _:
            return repr(value)
