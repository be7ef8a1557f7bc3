"""The router of a resource, whose routes end what their requests have begun."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

_ENTERED = "app.entered"


class _ResourceRoute(APIRoute):
    """Leaves what its request has entered once the answer is made, and before it starts.

    FastAPI does so for dependencies with `yield` of the scope `function`, for several times as much.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_leave(request: Request) -> Response:
            async with AsyncExitStack() as request.scope[_ENTERED]:
                return await handle(request)

        return handle_and_leave


class ResourceRouter(APIRouter):
    """Is asked about its routes only for a path in which its prefix occurs.

    FastAPI asks each route of each router in turn, so that every resource would make those after it slower.
    """

    def __init__(self, prefix: str, **options: Any) -> None:
        """`options` are those of FastAPI's router."""
        super().__init__(prefix=prefix, route_class=_ResourceRoute, **options)
        self._literal = prefix.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if self._literal in scope["path"] else (Match.NONE, {})


async def enter[Entered](request: Request, manager: AbstractAsyncContextManager[Entered]) -> Entered:
    """Enters it for this request, until just before the answer starts."""
    entered: AsyncExitStack | None = request.scope.get(_ENTERED)
    if entered is None:
        raise RuntimeError("Make the router of this path a ResourceRouter (app/api/routing.py): it ends the session.")
    return await entered.enter_async_context(manager)
