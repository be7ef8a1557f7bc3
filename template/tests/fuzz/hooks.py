"""Tells schemathesis which strings are addresses and times, and which failures a schema cannot prevent."""

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
    """Returns whether the API accepts the address. Reserved names, such as `.test`, are refused (RFC 6761)."""
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


schemathesis.openapi.format("email", strategies.emails().filter(is_address))

# The first and the last day contain times that are refused, which a schema cannot say.
dates = strategies.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30)).map(str)
schemathesis.openapi.format("date", dates)
schemathesis.openapi.format("date-time", strategies.builds("{}T{}".format, dates, rfc3339_values("full-time")))

_append = value_channel.violate_pattern


def violate_pattern(original: str, pattern: str) -> str:
    """Returns a value that really violates the pattern: the original appends a `*`, which many patterns allow."""
    for value in (_append(original, pattern), ""):
        if not re.search(pattern, value):
            return value
    return reject()


value_channel.violate_pattern = violate_pattern


@schemathesis.hook
def filter_failure(
    _: schemathesis.HookContext, failure: Exception, __: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Ignores refusals that no schema can predict.

    Only the application writes cursors, a version may be outdated, a key may have been used before, and a rule of the
    database may involve several fields.
    """
    if not isinstance(failure, RejectedPositiveData):
        return True
    said = read(cast("Response", response))
    if said.status == 412 or said.wrong_fields in (["after"], ["Idempotency-Key"]):
        return False
    return "breaks a rule" not in str(said.detail)
