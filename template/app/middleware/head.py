"""Responds to `HEAD` as to `GET`, without the body (RFC 9110, 9.3.2). FastAPI leaves that to its users."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.routes import declared_methods


class HeadMiddleware:
    """Serves `HEAD` wherever there is a route for `GET`, and none for `HEAD` itself. It must be the innermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Passes the request on, as a GET if it is a HEAD and only a route for GET fits."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self.app(scope, receive, send)
        return self._head(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                # Ends the response, so that an endless stream stops.
                await send({"type": "http.response.body"})

        methods = declared_methods(scope)
        if "HEAD" in methods or "GET" not in methods:
            await self.app(scope, receive, send)
            return
        # A copy, since the server must still see HEAD. Other middleware needs what routing adds to the scope.
        get = {**scope, "method": "GET"}
        try:
            await self.app(get, receive, send_head)
        finally:
            scope.update({**get, "method": "HEAD"})
