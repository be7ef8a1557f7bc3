"""Gives every request an ID, which its log lines and its response carry."""

import re
from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send
from uuid_utils import uuid4

from app.core.context import request_id

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIDMiddleware:
    """Takes the caller's ID if it is harmless in a log and in a header, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Sets the ID of the request for all that runs within it, and passes the request on."""
        if scope["type"] == "http":
            # A server gives each request a context of its own, which ends with it.
            request_id.set(_incoming(scope) or uuid4().hex)
        return self.app(scope, receive, send)


def _incoming(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode("ascii") if _ACCEPTED.fullmatch(value) else None
    return None
