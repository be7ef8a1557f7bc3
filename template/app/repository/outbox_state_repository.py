from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.outbox_message import AT_ONCE, OutboxMessage

_WAITING = OutboxMessage.parked_at.is_(None)
_UNDELIVERED = OutboxMessage.delivered_at.is_(None)


@dataclass(frozen=True)
class OutboxState:
    """How many messages there are in each state."""

    waiting: int
    # Those of the waiting messages that have failed already.
    failing: int
    parked: int
    # When the oldest waiting message was written, or None if none waits.
    oldest: datetime | None


class OutboxStateRepository:
    """Reads the state of the outbox and replays messages, for the people who operate it."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def state(self) -> OutboxState:
        """Counts the messages that are not delivered."""
        counts = select(
            func.count().filter(_WAITING),
            func.count().filter(_WAITING, OutboxMessage.error.is_not(None)),
            func.count().filter(OutboxMessage.parked_at.is_not(None)),
            func.min(OutboxMessage.created_at).filter(_WAITING),
        )
        return OutboxState(*(await self.session.execute(counts.where(_UNDELIVERED))).one())

    async def parked(self, limit: int) -> Sequence[OutboxMessage]:
        """Returns parked messages, at most `limit`, the oldest first."""
        parked = select(OutboxMessage).where(_UNDELIVERED, OutboxMessage.parked_at.is_not(None))
        return (await self.session.scalars(parked.order_by(OutboxMessage.id).limit(limit))).all()

    async def replay(self, message_id: int | None = None) -> int:
        """Makes one parked message, or all of them, due again, and returns how many."""
        parked = update(OutboxMessage).where(_UNDELIVERED, OutboxMessage.parked_at.is_not(None))
        if message_id is not None:
            parked = parked.where(OutboxMessage.id == message_id)
        replayed = parked.values(parked_at=None, attempts=0, due_at=AT_ONCE).returning(OutboxMessage.id)
        return len((await self.session.scalars(replayed)).all())
