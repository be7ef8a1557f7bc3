"""Serves the metrics to Prometheus at `/metrics`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hmac import compare_digest

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.api.deps import Providers
from app.core.config import Settings
from app.integrations.metrics.middleware import MetricsMiddleware
from app.integrations.metrics.outbox import OutboxMetrics
from app.integrations.metrics.registry import exposition


def install(app: FastAPI, _: Settings) -> None:
    """Adds the route of the metrics, and counts requests."""
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_middleware(MetricsMiddleware)


@asynccontextmanager
async def running(app: FastAPI, _: Settings) -> AsyncIterator[None]:
    """Counts what the outbox delivers."""
    providers: Providers = app.state.providers
    providers.outbox.watchers.append(OutboxMetrics())
    yield


# It runs in a thread, so that requests go on: it may take long with many workers and series.
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
