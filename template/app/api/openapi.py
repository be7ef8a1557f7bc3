"""Marks the operations with optional sign-in in the OpenAPI document, which FastAPI cannot express."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.deps import get_identity, get_optional_user

# As one of the ways to meet what an operation requires, it makes all others optional.
NOTHING: dict[str, list[str]] = {}


def document_optional_users(app: FastAPI) -> None:
    build = app.openapi

    def openapi() -> dict[str, Any]:
        schema = build()
        for operation in _optional_operations(app, schema["paths"]):
            if NOTHING not in operation["security"]:
                operation["security"].append(NOTHING)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does


def _optional_operations(app: FastAPI, paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            calls = set(_calls(route.dependant))
            if get_optional_user in calls and get_identity not in calls:
                for method in route.methods or ():
                    yield paths[str(route.path_format)][method.lower()]


def _calls(dependant: Dependant) -> Iterator[object]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)
