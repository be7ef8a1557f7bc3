"""Questions about the route table, which FastAPI keeps as a tree."""

from functools import cache

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Scope


def route_template(scope: Scope) -> str | None:
    """The path of the route that served this request, such as `/api/v1/users/{user_id}`; None where none did."""
    route = scope.get("route")
    return _path(scope["app"], route) if route is not None else None


@cache
def _path(app: FastAPI, route: BaseRoute) -> str | None:
    return next((context.path for context in iter_route_contexts(app.routes) if context.original_route is route), None)


def allowed_methods(scope: Scope) -> list[str]:
    """All methods of this path, which may be spread over several routes."""
    contexts = iter_route_contexts(scope["app"].routes)
    matching = (context for context in contexts if context.matches(scope)[0] is not Match.NONE)
    return sorted({method for context in matching for method in context.methods or ()})
