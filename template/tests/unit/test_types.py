"""A field accepts what its documentation says, and nothing else."""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.domain.schemas.base import Name
from app.domain.schemas.types import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Digits,
    Float,
    Integer,
    JsonObject,
    PlainDecimal,
    Text,
    Url,
)

Price = Annotated[Decimal, Digits(5, 2)]


@pytest.mark.parametrize(
    ("kind", "sent", "taken"),
    [
        (Boolean, True, True),
        (Integer, 2**31 - 1, 2**31 - 1),
        (Integer, 1.0, 1),
        (BigInteger, 1 - 2**53, 1 - 2**53),
        (Float, 1, 1.0),
        (Text, "many\nlines", "many\nlines"),
        (Url, "https://example.com/a?b=c#d", "https://example.com/a?b=c#d"),
        (Date, "2026-02-28", dt.date(2026, 2, 28)),
        (DateTime, "2026-02-28T12:00:00+02:00", dt.datetime(2026, 2, 28, 10, tzinfo=dt.UTC)),
        (Price, "999.99", Decimal("999.99")),
        (Price, -12, Decimal(-12)),
        (Price, 0.1 + 0.2, Decimal("0.30")),
        (JsonObject, {"a": [{"b": None}, 1.5]}, {"a": [{"b": None}, 1.5]}),
    ],
)
def test_takes(kind: Any, sent: object, taken: object) -> None:
    assert TypeAdapter(kind).validate_python(sent) == taken


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (Boolean, 0),
        (Integer, "1"),
        (Integer, True),
        (Integer, 1.5),
        (Integer, float("inf")),
        (Integer, 2**31),
        (BigInteger, 2**53),
        (Float, "1.5"),
        (Text, ""),
        (Text, "\0"),
        (Url, "javascript:alert(1)"),
        (Url, "https://"),
        (Url, "https://example.com/ü"),
        (Date, 0),
        (Date, "0"),
        (Date, "2026-02-30"),
        (Date, "2026-02-28T00:00:00Z"),
        (DateTime, "2026-02-28T12:00:00"),
        (DateTime, 1_700_000_000),
        (DateTime, "1700000000"),
        (DateTime, "0001-01-01T00:00:00+14:00"),
        (Date, "0001-01-01"),
        (Date, "9999-12-31"),
        (DateTime, "0001-01-01T00:00:00Z"),
        (DateTime, "9999-12-31T23:59:59.999999Z"),
        (DateTime, "9999-12-31T21:59:59.9999999-02:00"),
        (Price, "1.234"),
        (Price, "1000"),
        (Price, True),
        (Price, float("inf")),
        (Price, 1.7976931348623157e308),
        (Price, -1e300),
        (Price, "NaN"),
        (JsonObject, []),
        (JsonObject, {"a": ["\0"]}),
        (JsonObject, {"\ud800": 1}),
        (JsonObject, {"a": float("nan")}),
    ],
)
def test_refuses(kind: Any, sent: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(sent)


def test_a_decimal_has_one_zero() -> None:
    assert str(TypeAdapter(Price).validate_python("-0.0")) == "0.00"


def test_a_decimal_is_answered_with_all_its_places() -> None:
    answered = [TypeAdapter(PlainDecimal).dump_json(Decimal(value)) for value in ("0E-8", "1E-14", "12.30")]

    assert answered == [b'"0.00000000"', b'"0.00000000000001"', b'"12.30"']


def test_digits_are_documented_as_they_are_taken() -> None:
    number, text = TypeAdapter(Price).json_schema()["anyOf"]

    assert (number["minimum"], number["maximum"]) == (-999, 999)
    assert text["pattern"] == r"^-?[0-9]{1,3}(\.[0-9]{1,2})?$"


# White space according to ECMA-262, whose regular expressions JSON Schema uses.
ECMA_SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


@pytest.mark.parametrize("blank", [chr(number) for number in range(0x3001) if chr(number).isspace()])
def test_a_blank_name_is_refused_where_its_schema_refuses_it(blank: str) -> None:
    names = TypeAdapter(Name)
    pattern = names.json_schema()["pattern"].replace(r"\S", r"[^\s]").replace(r"\s", ECMA_SPACE)

    if re.search(pattern, blank):
        assert names.validate_python(blank) == blank
    else:
        with pytest.raises(ValidationError):
            names.validate_python(blank)
