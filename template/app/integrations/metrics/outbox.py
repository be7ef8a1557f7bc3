"""The metrics of the outbox."""

from typing import Final

from prometheus_client import Counter, Gauge

from app.domain.models.base import utc_now
from app.repository.outbox_repository import Outcome
from app.repository.outbox_state_repository import OutboxState

# All processes count the same table, so that the most recent count is right.
_LAST: Final = "mostrecent"

ATTEMPTS = Counter("outbox_attempts", "Attempts to deliver a message.", ("kind", "outcome"))
WAITING = Gauge("outbox_waiting", "Messages that wait for their delivery.", multiprocess_mode=_LAST)
PARKED = Gauge("outbox_parked", "Messages that were given up.", multiprocess_mode=_LAST)
OLDEST = Gauge("outbox_oldest_seconds", "How long the oldest waiting message has waited.", multiprocess_mode=_LAST)


class OutboxMetrics:
    """Reports to Prometheus on the outbox."""

    def ended(self, outcome: Outcome) -> None:
        """Counts an attempt by its outcome."""
        ATTEMPTS.labels(outcome.claim.kind, _named(outcome)).inc()

    def counted(self, state: OutboxState) -> None:
        """Sets the gauges to the counts of the table."""
        WAITING.set(state.waiting)
        PARKED.set(state.parked)
        OLDEST.set((utc_now() - state.oldest).total_seconds() if state.oldest else 0)


def _named(outcome: Outcome) -> str:
    if outcome.released:
        return "released"
    if outcome.error is None:
        return "delivered"
    return "parked" if outcome.delay is None else "failed"
