"""The errors of an operation, for its documentation."""

from typing import Any

from app.domain.schemas.common import ErrorResponse, ValidationErrorResponse

MODELS = {422: ValidationErrorResponse}

RETRY_AFTER = {"description": "Seconds to wait before asking again.", "schema": {"type": "integer"}}
HEADERS = {status: {"headers": {"Retry-After": RETRY_AFTER}} for status in (429, 503)}

# The errors that any body may cause: it is not JSON, too large, or not valid for the operation.
BODY = (400, 413, 422)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the value of `responses=` for an operation or a router."""
    return {status: {"model": MODELS.get(status, ErrorResponse)} | HEADERS.get(status, {}) for status in statuses}
