"""Refuses bodies over `MAX_BODY_SIZE` bytes before they are held in memory."""

from collections.abc import Awaitable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.error_handler import error_response

CONTENT_TOO_LARGE = 413


class BodyLimitMiddleware:
    """Refuses a body at once by its Content-Length, and a chunked body as soon as it exceeds the limit."""

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, or responds with a 413 if its body exceeds the limit."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)

        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self.max_body_size:
            return error_response(CONTENT_TOO_LARGE)(scope, receive, send)

        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_size:
                raise HTTPException(CONTENT_TOO_LARGE)
            return message

        return self.app(scope, receive_limited, send)
