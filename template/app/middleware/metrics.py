"""Counts every request, and tells Prometheus at `/metrics`."""

from functools import cache
from hmac import compare_digest
from http import HTTPMethod
from time import perf_counter

from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings
from app.core.metrics import DURATION, IN_PROGRESS, REQUESTS, exposition
from app.middleware.answer import status_of
from app.utils.routes import route_template

# A client chooses paths and methods as it likes: what we do not know is one label, or each would be a series for ever.
_METHODS = frozenset(HTTPMethod)
OTHER_METHOD = "other"
UNKNOWN_ROUTE = "unknown"


class MetricsMiddleware:
    """Labels a request by its method, the template of its route and its status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
    """Kept, since to look for a series among its like costs more than to count."""
    labels = (method, route, str(status))
    return REQUESTS.labels(*labels), DURATION.labels(*labels)


def add_metrics(app: FastAPI) -> None:
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_middleware(MetricsMiddleware)


# In a thread: with many workers and series it takes its time, in which requests go on.
def _metrics(request: Request) -> Response:
    if not _may_read(request):
        raise HTTPException(404)
    return Response(exposition(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    if not settings.is_deployed:
        return True
    if settings.METRICS_TOKEN is None:
        return False
    expected = f"Bearer {settings.METRICS_TOKEN.get_secret_value()}"
    given = request.headers.get("Authorization", "")
    return compare_digest(given.encode("latin-1"), expected.encode())
