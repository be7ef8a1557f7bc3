"""Reads errors in their format, which the owner of this project may change. No other file of the tests knows it."""

from dataclasses import dataclass, replace
from typing import Any

from httpx2 import Response

MEDIA_TYPE = "application/json"
# The names of the format in the OpenAPI document.
MODEL, MODEL_OF_422 = "ErrorResponse", "ValidationErrorResponse"


@dataclass(frozen=True)
class Error:
    """The content of an error, whatever its format."""

    status: int
    message: str
    detail: Any
    request_id: str | None
    wrong_fields: list[str] | None


def read(response: Response) -> Error:
    """Returns the error in this response. Fails if it has another format."""
    body = response.json()
    assert set(body) - {"errors"} == {"message", "detail", "status_code", "request_id"}
    errors = body.get("errors")
    wrong_fields = None if errors is None else [error["field"] for error in errors]
    return Error(body["status_code"], body["message"], body["detail"], body["request_id"], wrong_fields)


def assert_error(response: Response, status: int) -> None:
    """Requires an error with this status, in the common format."""
    error = read(response)
    assert (response.status_code, error.status) == (status, status)
    assert response.headers["Content-Type"] == MEDIA_TYPE
    assert error.request_id == response.headers["X-Request-ID"]
    assert (error.wrong_fields is not None) == (status == 422)


def detail(response: Response) -> Any:
    """Returns the detail of the error."""
    return read(response).detail


def wrong_fields(response: Response) -> list[str]:
    """Returns the names of the fields that it refuses."""
    return read(response).wrong_fields or []


def said(response: Response) -> Error:
    """Returns all that the response says, except for the ID of its request."""
    return replace(read(response), request_id=None)
