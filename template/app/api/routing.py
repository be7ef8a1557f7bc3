"""The router of a resource."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class ResourceRouter(APIRouter):
    """Is asked about its routes only for a path in which its prefix occurs.

    FastAPI asks each route of each router in turn, so that every resource would make those after it slower.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        literal = self.prefix.partition("{")[0]
        return super().matches(scope) if literal in scope["path"] else (Match.NONE, {})
