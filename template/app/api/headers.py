"""Describes the headers of versions and keys in `/docs`, for each operation that takes one of the dependencies."""

from collections.abc import Set as AbstractSet
from typing import Any

from app.api.conditions import MERGE_PATCH, get_change, get_etag
from app.api.creation import get_creation
from app.api.idempotency import HEADER as KEY
from app.api.idempotency import MAXIMUM_LENGTH, PATTERN
from app.core.config import Settings

ETAG = {"description": "The version of the record (RFC 9110, 8.8.3).", "schema": {"type": "string"}}
IF_NONE_MATCH = "The ETag that the client has: if it is still the current one, the response is a 304 without a body."
IF_MATCH = "The ETag of what the client read, several ETags, or `*`: if none is the current one, nothing is changed."
IDEMPOTENCY_KEY = (
    "A string that the client makes up, such as a UUID, and sends again when it repeats the request: the response is"
    " then the same, and nothing more is created."
)


def describe_headers(settings: Settings, method: str, operation: dict[str, Any], calls: AbstractSet[object]) -> None:
    """Adds the headers, errors and media types that follow from the dependencies in `calls`."""
    if calls & {get_etag, get_creation} or (get_change in calls and method != "DELETE"):
        _describe_etag(method, operation)
    if get_change in calls:
        _describe_change(settings, method, operation)
    if get_creation in calls:
        _add_parameter(operation, KEY, IDEMPOTENCY_KEY, minLength=1, maxLength=MAXIMUM_LENGTH, pattern=PATTERN)


def _describe_etag(method: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {})["ETag"] = ETAG
    if method == "GET":
        _add_parameter(operation, "If-None-Match", IF_NONE_MATCH)
        operation["responses"]["304"] = {"description": "Not Modified", "headers": {"ETag": ETAG}}


def _describe_change(settings: Settings, method: str, operation: dict[str, Any]) -> None:
    _add_parameter(operation, "If-Match", IF_MATCH, required=settings.REQUIRE_IF_MATCH)
    add_error(operation, 412, "Precondition Failed")
    if settings.REQUIRE_IF_MATCH:
        add_error(operation, 428, "Precondition Required")
    content = operation.get("requestBody", {}).get("content", {})
    if method == "PATCH" and "application/json" in content:
        content[MERGE_PATCH] = content["application/json"]


def _add_parameter(
    operation: dict[str, Any], name: str, description: str, *, required: bool = False, **schema: object
) -> None:
    parameters = operation.setdefault("parameters", [])
    if name not in {parameter["name"] for parameter in parameters}:
        parameter = {"name": name, "in": "header", "required": required, "schema": {"type": "string"} | schema}
        parameters.append(parameter | {"description": description})


def add_error(operation: dict[str, Any], status: int, description: str) -> None:
    """Adds an error in the form that all errors have, unless the operation has one with this status."""
    operation["responses"].setdefault(str(status), operation["responses"]["500"] | {"description": description})
