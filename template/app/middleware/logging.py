"""Writes one log line per request."""

from contextlib import suppress
from time import perf_counter

from loguru import logger
from starlette.types import ASGIApp, Receive, Scope, Send

from app.middleware.response import status_of
from app.middleware.routes import route_template


class LoggingMiddleware:
    """Logs method, route template, status and duration in milliseconds; never a query string or a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and logs it after its response, even if it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        start = perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            with suppress(Exception):  # a sink may raise, but the response was sent, and its connection must stay
                logger.bind(
                    method=scope["method"],
                    route=route_template(scope),
                    status=status_of(scope),
                    duration_ms=round((perf_counter() - start) * 1000, 2),
                ).info("request")
