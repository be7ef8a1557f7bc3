"""Adds to the OpenAPI document what follows from the dependencies of an operation and FastAPI cannot express."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.deps import get_identity, get_optional_user
from app.api.expansion import get_public_expansion
from app.api.headers import describe_headers
from app.api.listing import Listing
from app.core.config import Settings

# As one of the alternatives in `security`, an empty requirement makes all others optional.
NOTHING: dict[str, list[str]] = {}
# The dependencies that accept a token but do not require one.
OPTIONAL = {get_optional_user, get_public_expansion}


def document_operations(app: FastAPI) -> None:
    """Marks optional sign-in, and describes the headers of versions, merge patches and repeated requests."""
    build, settings = app.openapi, app.state.settings

    def openapi() -> dict[str, Any]:
        schema = build()  # the same object each time
        for method, operation, calls in _operations(app, schema["paths"]):
            _describe(settings, method, operation, calls)
            for listing in calls:
                if isinstance(listing, Listing):
                    _describe_query(schema, operation, listing)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does


def _describe(settings: Settings, method: str, operation: dict[str, Any], calls: AbstractSet[object]) -> None:
    is_optional = not OPTIONAL.isdisjoint(calls) and get_identity not in calls
    if is_optional and NOTHING not in operation["security"]:
        operation["security"].append(NOTHING)
    describe_headers(settings, method, operation, calls)


def _describe_query(schema: dict[str, Any], operation: dict[str, Any], listing: Listing[Any]) -> None:
    if listing.definitions:
        schema["components"]["schemas"] |= listing.definitions
    parameters = operation.setdefault("parameters", [])
    described = {parameter["name"] for parameter in parameters}
    for name, field in listing.properties.items():
        if name not in described:
            parameter = {"name": name, "in": "query", "required": name in listing.required, "schema": field}
            if "description" in field:
                parameter["description"] = field["description"]
            parameters.append(parameter)


def _operations(app: FastAPI, paths: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], AbstractSet[object]]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            calls = set(_calls(route.dependant))
            for method in route.methods or ():
                if operation := paths.get(str(route.path_format), {}).get(method.lower()):
                    yield method, operation, calls


def _calls(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)
