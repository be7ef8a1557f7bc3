"""Looks up routes in FastAPI's route table, which is a tree."""

from functools import cache

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Match
from starlette.types import Scope


def route_template(scope: Scope) -> str | None:
    """Returns the path of the route that served this request, like `/api/v1/users/{user_id}`, or None if none did."""
    return _templates(scope["app"]).get(id(scope.get("route")))


@cache
def _templates(app: FastAPI) -> dict[int, str | None]:
    return {id(context.original_route): context.path_format for context in iter_route_contexts(app.routes)}


def allowed_methods(scope: Scope) -> list[str]:
    """Returns the methods that this path serves, with `HEAD` wherever there is `GET`."""
    methods = declared_methods(scope)
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def declared_methods(scope: Scope) -> set[str]:
    """Returns the methods of all routes that have the template of this path."""
    contexts = iter_route_contexts(scope["app"].routes)
    matching = [context for context in contexts if context.matches(scope)[0] is not Match.NONE]
    return {
        method
        for context in matching
        if context.path_format == matching[0].path_format
        for method in context.methods or ()
    }
