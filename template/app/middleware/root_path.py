"""Serves the application below a path of a proxy."""

from collections.abc import Awaitable

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings


def add_root_path(app: FastAPI, settings: Settings) -> None:
    """Serves the application below `ROOT_PATH`, if there is one."""
    if settings.ROOT_PATH:
        app.add_middleware(RootPathMiddleware, root_path=settings.ROOT_PATH)


class RootPathMiddleware:
    """Sets `root_path` of the ASGI scope, whether or not the proxy removes that path from the request.

    FastAPI's own parameter is deprecated, and Uvicorn's option would not apply to other ways to start.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, with `root_path` in its scope and at the beginning of its path."""
        if scope["type"] != "lifespan" and not scope.get("root_path"):
            scope["root_path"] = self.root_path
            if not f"{scope['path']}/".startswith(f"{self.root_path}/"):
                scope["path"] = self.root_path + scope["path"]
                scope["raw_path"] = self.root_path.encode() + (scope.get("raw_path") or b"")
        return self.app(scope, receive, send)
