"""Counts every request."""

from functools import cache
from http import HTTPMethod
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from app.integrations.metrics.registry import DURATION, IN_PROGRESS, REQUESTS
from app.middleware.response import status_of
from app.middleware.routes import route_template

# Clients choose paths and methods freely: all unknown ones share a label, or each would be a series for ever.
_METHODS = frozenset(HTTPMethod)
OTHER_METHOD = "other"
UNKNOWN_ROUTE = "unknown"


class MetricsMiddleware:
    """Labels a request by its method, the template of its route and its status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and counts and times it, even if it fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        start = perf_counter()
        IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send)
        finally:
            IN_PROGRESS.dec()
            method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
            requests, duration = _series(method, route_template(scope) or UNKNOWN_ROUTE, status_of(scope))
            requests.inc()
            duration.observe(perf_counter() - start)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Returns the series from a cache, since looking one up costs more than counting."""
    labels = (method, route, str(status))
    return REQUESTS.labels(*labels), DURATION.labels(*labels)
