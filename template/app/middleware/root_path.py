"""The path under which a proxy shows the application to the world."""

from collections.abc import Awaitable

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings


def add_root_path(app: FastAPI, settings: Settings) -> None:
    if settings.ROOT_PATH:
        app.add_middleware(RootPathMiddleware, root_path=settings.ROOT_PATH)


class RootPathMiddleware:
    """Tells everything below where the application lies (ASGI, `root_path`), whether the proxy takes that off or not.

    FastAPI's parameter is deprecated, and the server's would not serve every way to start.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "lifespan" and not scope.get("root_path"):
            scope["root_path"] = self.root_path
            if not f"{scope['path']}/".startswith(f"{self.root_path}/"):
                scope["path"] = self.root_path + scope["path"]
                scope["raw_path"] = self.root_path.encode() + (scope.get("raw_path") or b"")
        return self.app(scope, receive, send)
