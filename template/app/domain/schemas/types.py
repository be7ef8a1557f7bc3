"""The types that fields of a request are made of: each takes exactly what its documentation says."""

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictBool,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from app.domain.schemas.base import Storable, storable


def _whole(value: object) -> object:
    """JSON has one kind of number: 1.0 is an integer as well (JSON Schema, 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _all_places(value: Decimal) -> str:
    """Writes all decimal places: Pydantic would write 0 with eight places as 0E-8."""
    return f"{value:f}"


# A Decimal in responses; requests use Digits.
PlainDecimal = Annotated[Decimal, PlainSerializer(_all_places, return_type=str, when_used="json")]
Boolean = StrictBool
Integer = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1), BeforeValidator(_whole)]
# Beyond these limits, many clients read a different number than the one that was written (RFC 8259, 6).
BigInteger = Annotated[int, Field(strict=True, ge=-(2**53) + 1, le=2**53 - 1), BeforeValidator(_whole)]
Float = Annotated[float, Field(strict=True)]
Slug = Annotated[str, Field(min_length=1, max_length=80), Storable]
Text = Annotated[str, Field(min_length=1, max_length=10_000), Storable]
# These are the schemes that clients can follow; others that RFC 3986 allows may do harm.
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-.0-~][!-~]*$", max_length=2000)]


def _written_as(form: str) -> BeforeValidator:
    """Refuses the numbers, and the strings of digits, that Pydantic would take for a time (RFC 3339, 5.6)."""
    pattern = re.compile(form, re.ASCII)

    def check(value: object) -> object:
        if isinstance(value, dt.date) or (isinstance(value, str) and pattern.fullmatch(value)):
            return value
        raise PydanticCustomError("time_form", "Must be in the format of RFC 3339")

    return BeforeValidator(check)


def _in_utc(value: dt.datetime) -> dt.datetime:
    """Returns the time in UTC. Raises ValueError if its year is then 0 or 10000, which Python does not have."""
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "Must be between the years 1 and 9999, in UTC") from None


def _finite[Time: dt.date](value: Time) -> Time:
    """Refuses the first and the last possible value, which the PostgreSQL driver stores as infinity."""
    same = value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value
    if same in (type(same).min, type(same).max):
        raise PydanticCustomError("time_finite", "Must be between the first and the last possible value, exclusive")
    return value


Date = Annotated[dt.date, AfterValidator(_finite), _written_as(r"\d{4}-\d{2}-\d{2}")]
DateTime = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    AfterValidator(_finite),
    _written_as(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})"),
]


def _distinct(ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len({*ids}) < len(ids):
        raise PydanticCustomError("distinct_ids", "Must not name the same ID twice")
    return ids


# A list of references to other records.
Ids = Annotated[
    tuple[UUID, ...],
    Field(max_length=100, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]


def _storable_json(value: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for NUL, unpaired surrogates and non-finite numbers at any depth: PostgreSQL refuses them."""
    remaining: list[Any] = [value]
    while remaining:
        match remaining.pop():
            case str() as text:
                storable(text)
            case dict() as members:
                remaining += [*members.keys(), *members.values()]
            case list() as items:
                remaining += items
            case float() as number if not math.isfinite(number):
                raise PydanticCustomError("finite_number", "Numbers must be finite")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_storable_json)]


@dataclass(frozen=True)
class Digits:
    """Limits a Decimal to `precision` digits, `scale` of them after the point.

    A string is taken exactly or refused. A JSON number is rounded to the scale, since it is binary in most clients.
    With `text`, the JSON schema allows strings only, as a query has them.
    """

    precision: int
    scale: int
    text: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        exact = core_schema.decimal_schema(max_digits=self.precision, decimal_places=self.scale)
        rounded = core_schema.no_info_before_validator_function(self._rounded, exact)
        # All places are written, so that a response is the same before and after the database.
        # Databases know no negative zero.
        return core_schema.no_info_after_validator_function(
            lambda value: round(value or abs(value), self.scale), rounded
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        digits = self.precision - self.scale
        places = r"(\.[0-9]{1," + str(self.scale) + "})?" if self.scale else ""
        text = {"type": "string", "pattern": "^-?[0-9]{1," + str(digits) + "}" + places + "$"}
        largest = 10**digits - 1
        return text if self.text else {"anyOf": [{"type": "number", "minimum": -largest, "maximum": largest}, text]}

    def _rounded(self, value: object) -> object:
        if isinstance(value, bool):
            raise PydanticCustomError("decimal_type", "Must be a number, or a string with one")
        # A float may have 309 digits, but Python rounds a Decimal of 28 at most.
        is_roundable = isinstance(value, float) and abs(value) < 10**self.precision
        return round(Decimal(repr(value)), self.scale) if is_roundable else value
