"""What schemathesis has to know: which strings are addresses and times, and what a schema cannot say."""

import datetime as dt
import re
from typing import Any, cast

import schemathesis
from email_validator import EmailNotValidError, validate_email
from httpx2 import Response
from hypothesis import reject, strategies
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.formats import rfc3339_values
from schemathesis.specs.openapi.negative import value_channel

from tests.errors import read


def is_address(value: str) -> bool:
    """Names that the world reserves, such as `.test`, have the form of an address and are none (RFC 6761)."""
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


schemathesis.openapi.format("email", strategies.emails().filter(is_address))

# The first and the last day hold times that are refused; a schema cannot say so.
dates = strategies.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30)).map(str)
schemathesis.openapi.format("date", dates)
schemathesis.openapi.format("date-time", strategies.builds("{}T{}".format, dates, rfc3339_values("full-time")))

_append = value_channel.violate_pattern


def violate_pattern(original: str, pattern: str) -> str:
    """It would append a `*`, which a name and the address of a page may well have."""
    for value in (_append(original, pattern), ""):
        if not re.search(pattern, value):
            return value
    return reject()


value_channel.violate_pattern = violate_pattern


@schemathesis.hook
def filter_failure(
    _: schemathesis.HookContext, failure: Exception, __: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """What a schema cannot say.

    A cursor is written by the application alone, a version is the right one or another, a key may have come before, and
    a rule of the database is about several fields.
    """
    if not isinstance(failure, RejectedPositiveData):
        return True
    said = read(cast("Response", response))
    if said.status == 412 or said.wrong_fields in (["after"], ["Idempotency-Key"]):
        return False
    return "breaks a rule" not in str(said.detail)
