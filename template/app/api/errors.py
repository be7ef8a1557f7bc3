"""What an operation may answer besides its success, for its documentation."""

from typing import Any

from app.domain.schemas.common import ErrorResponse, ValidationErrorResponse

MODELS = {422: ValidationErrorResponse}

# What any body may cause: not JSON, too large, not what the operation takes.
BODY = (400, 413, 422)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of an operation or a router."""
    return {status: {"model": MODELS.get(status, ErrorResponse)} for status in statuses}
