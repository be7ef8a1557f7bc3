"""The metrics, and their text for Prometheus."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from app.integrations.metrics.multiprocess import VARIABLE, is_shared

# The time at which each series began would be another series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # nor do the others below have types

_OF_REQUESTS = ("method", "route", "status")

REQUESTS = Counter("http_requests", "Requests that got a response.", _OF_REQUESTS)
DURATION = Histogram("http_request_duration_seconds", "Seconds until the response was complete.", _OF_REQUESTS)
IN_PROGRESS = Gauge("http_requests_in_progress", "Requests in progress.", multiprocess_mode="livesum")
CONNECTIONS = Gauge(
    "database_connections_in_use", "Connections that are taken from the pools.", multiprocess_mode="livesum"
)

_TAKEN = "app.taken"


@event.listens_for(Pool, "checkout")
def _take(_: object, entry: ConnectionPoolEntry, __: object) -> None:
    # The event fires twice when a stale connection is replaced during checkout.
    if _TAKEN not in _info(entry):
        _info(entry)[_TAKEN] = True
        CONNECTIONS.inc()


@event.listens_for(Pool, "checkin")
def _give_back(_: object, entry: ConnectionPoolEntry) -> None:
    if _info(entry).pop(_TAKEN, False):
        CONNECTIONS.dec()


def _info(entry: ConnectionPoolEntry) -> dict[Any, Any]:
    assert entry.record_info is not None  # None only for a connection that was detached from its pool
    return entry.record_info


def exposition() -> bytes:
    """The metrics of all workers, in Prometheus' text format."""
    if not is_shared():
        return generate_latest(REGISTRY)
    _forget_dead_workers()
    registry = CollectorRegistry()
    registry.register(_OfAllWorkers())
    return generate_latest(registry)


class _OfAllWorkers(Collector):
    def collect(self) -> Iterable[Metric]:
        # The library cannot read the file of a worker that has just created it.
        files = [str(file) for file in _folder().glob("*.db") if _has_content(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


def _has_content(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # another worker has forgotten a dead one
        return False


def _forget_dead_workers() -> None:
    """Removes the live gauges of killed workers, such as requests in progress. Their counters stay."""
    for file in _folder().glob("gauge_live*_*.db"):
        worker = int(file.stem.rpartition("_")[2])
        if not _is_alive(worker):
            with suppress(FileNotFoundError):  # another worker forgets it at the same time
                mark_process_dead(worker)  # type: ignore[no-untyped-call]


def _folder() -> Path:
    return Path(os.environ[VARIABLE])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
