"""The only middleware that wraps `send`: each further one would add the same cost to every request."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.context import request_id
from app.middleware.request_id import HEADER

# Headers that restrict what a browser does with any response (OWASP REST Security Cheat Sheet).
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
_REQUEST_ID = HEADER.lower().encode()
_STATUS = "app.status"


class ResponseMiddleware:
    """Adds the headers that every response carries, and keeps its status for the other middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, and adds the headers when its response begins."""

        async def send_response(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope[_STATUS] = message["status"]
                identifier = (_REQUEST_ID, (request_id.get() or "").encode())
                message["headers"] = [*message["headers"], identifier, *SECURITY_HEADERS]
            await send(message)

        return self.app(scope, receive, send_response)


AnswerMiddleware = ResponseMiddleware  # deprecated: this name is removed in 0.6.0


def has_begun(scope: Scope) -> bool:
    """Returns whether a part of the response was sent."""
    return _STATUS in scope


def status_of(scope: Scope) -> int:
    """Returns the status of the response, which is 500 if the application sent none: the server then responds."""
    status: int = scope.get(_STATUS, 500)
    return status
