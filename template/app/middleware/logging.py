"""One log line a request."""

from time import perf_counter

from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.utils.routes import route_template

_access_log = logger.bind(logger="access")


class LoggingMiddleware:
    """Logs method, route template, status and duration in milliseconds; never a query string or a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        start = perf_counter()
        # What the server answers by itself when the application ends without an answer.
        status = 500

        async def send_with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_with_status)
        finally:
            _access_log.bind(
                method=scope["method"],
                route=route_template(scope),
                status=status,
                duration_ms=round((perf_counter() - start) * 1000, 2),
            ).info("request")
