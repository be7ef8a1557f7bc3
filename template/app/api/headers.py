"""How `/docs` describes the headers of versions: each operation that takes one of the dependencies gets its part."""

from collections.abc import Collection
from typing import Any

from app.api.conditions import MERGE_PATCH, get_etag, get_terms
from app.api.creation import get_creation
from app.core.config import Settings

ETAG = {"description": "The version of the record (RFC 9110, 8.8.3).", "schema": {"type": "string"}}
IF_NONE_MATCH = "The ETag that the client has: if it is still the current one, the response is a 304 without a body."
IF_MATCH = "The ETag of what the client read, several of them, or `*`: if none is the current one, nothing is changed."


def describe_headers(settings: Settings, method: str, operation: dict[str, Any], calls: Collection[object]) -> None:
    if get_etag in calls or get_creation in calls:
        _describe_etag(method, operation)
    if get_terms in calls:
        _describe_terms(settings, operation)


def _describe_etag(method: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {})["ETag"] = ETAG
    if method == "GET":
        _add_parameter(operation, "If-None-Match", IF_NONE_MATCH)
        operation["responses"]["304"] = {"description": "Not Modified", "headers": {"ETag": ETAG}}


def _describe_terms(settings: Settings, operation: dict[str, Any]) -> None:
    _add_parameter(operation, "If-Match", IF_MATCH, required=settings.REQUIRE_IF_MATCH)
    add_error(operation, 412, "Precondition Failed")
    if settings.REQUIRE_IF_MATCH:
        add_error(operation, 428, "Precondition Required")
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        content[MERGE_PATCH] = content["application/json"]


def _add_parameter(operation: dict[str, Any], name: str, description: str, *, required: bool = False) -> None:
    parameters = operation.setdefault("parameters", [])
    if name not in {parameter["name"] for parameter in parameters}:
        parameter = {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}
        parameters.append(parameter | {"description": description})


def add_error(operation: dict[str, Any], status: int, description: str) -> None:
    """In the form that all errors have."""
    operation["responses"].setdefault(str(status), operation["responses"]["500"] | {"description": description})
