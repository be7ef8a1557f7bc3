from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.context import request_id
from app.core.database import time_after
from app.core.exceptions import UnprocessableError
from app.core.session import after_commit
from app.domain.messages import Message
from app.domain.models.outbox_message import AT_ONCE, OutboxMessage

# In bytes. Longer data belongs in a separate table, and only its ID in the message.
MAXIMUM_SIZE = 64 * 1024
MAXIMUM_KEY_LENGTH = 200
MAXIMUM_ERROR_LENGTH = 500

# How many old messages one statement removes.
BATCH = 1000

# Called after each commit that wrote a message, to wake the loop that delivers in this process.
listeners: set[Callable[[], None]] = set()


async def put_message(session: AsyncSession, message: Message, *, key: str | UUID | None = None) -> None:
    """Has the message delivered once this transaction is committed, and never if it is rolled back.

    Messages with the same key are delivered one after the other, in their order. A message is delivered at least once:
    its handler must be idempotent. Raises UnprocessableError if the message is too large.
    """
    payload = message.model_dump_json()
    if (size := len(payload.encode())) > MAXIMUM_SIZE:
        raise UnprocessableError(f"This is too large to send: {message.kind} has {size} bytes (limit {MAXIMUM_SIZE}).")
    if key is not None and len(str(key)) > MAXIMUM_KEY_LENGTH:
        raise ValueError(f"The key of a message has at most {MAXIMUM_KEY_LENGTH} characters.")
    named = None if key is None else str(key)
    values = {"kind": message.kind, "key": named, "payload": payload, "request_id": request_id.get()}
    await (await session.connection()).execute(_PUT, values)
    after_commit(session, _tell_listeners)


async def _tell_listeners() -> None:
    for tell in listeners:
        tell()


@dataclass(frozen=True)
class Claim:
    """A message that this process may deliver until its lease ends. No other claim has the same ID and attempt."""

    id: int
    attempt: int
    kind: str
    key: str | None
    payload: str
    request_id: str | None
    error: str | None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a claim: delivered, failed and due again in `delay` seconds, or parked if there is no `delay`."""

    claim: Claim
    error: str | None = None
    delay: float | None = None
    # The attempt does not count: the process was asked to stop.
    released: bool = False


class OutboxRepository:
    """The messages that wait, and those that were delivered or parked."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def is_due(self, but: Collection[str] = ()) -> bool:
        """Returns whether there may be a message to claim, except of the kinds in `but`. It only reads."""
        return bool(await self.session.scalar(select(exists().where(*_due(but)))))

    async def claim(self, limit: int, lease: float, but: Collection[str] = ()) -> list[Claim]:
        """Claims up to `limit` messages for `lease` seconds: those that are due and free, of each key only the first.

        Messages of the kinds in `but` are left alone.
        """
        due = _claimable(but).limit(limit).with_for_update(skip_locked=True, of=OutboxMessage).cte("due")
        claimed = (
            update(OutboxMessage)
            .where(OutboxMessage.id.in_(select(due.c.id)))
            .values(due_at=time_after(lease), attempts=OutboxMessage.attempts + 1)
            .returning(*_CLAIMED)
            .execution_options(synchronize_session=False)
        )
        rows = (await self.session.execute(claimed)).all()
        return sorted((Claim(*row) for row in rows), key=lambda claim: claim.id)

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Stores the outcomes of claims, except those that were lost in the meantime."""
        delivered = [outcome for outcome in outcomes if outcome.error is None and not outcome.released]
        if delivered:
            connection = await self.session.connection()
            values = [{"claimed_id": outcome.claim.id, "attempt": outcome.claim.attempt} for outcome in delivered]
            await connection.execute(_DELIVERED, values)
        for outcome in outcomes:
            if outcome.error is not None or outcome.released:
                await self._give_back(outcome)

    async def _give_back(self, outcome: Outcome) -> None:
        claim = outcome.claim
        values: dict[str, Any] = {"error": (outcome.error or claim.error or "")[:MAXIMUM_ERROR_LENGTH] or None}
        if outcome.released:
            values |= {"due_at": AT_ONCE, "attempts": claim.attempt - 1}
        elif outcome.delay is None:
            values |= {"parked_at": func.now()}
        else:
            values |= {"due_at": time_after(outcome.delay)}
        mine = (OutboxMessage.id == claim.id, OutboxMessage.attempts == claim.attempt)
        await self._update(*mine, OutboxMessage.delivered_at.is_(None), **values)

    async def clean(self, keep: float, furthest: float) -> None:
        """Removes messages that were delivered more than `keep` seconds ago.

        A message due in more than `furthest` seconds was written before a clock jumped back: it becomes due now.
        """
        old = select(OutboxMessage.id).where(OutboxMessage.delivered_at <= time_after(-keep)).limit(BATCH)
        erase = delete(OutboxMessage).where(OutboxMessage.id.in_(old.with_for_update(skip_locked=True)))
        await self.session.execute(erase.execution_options(synchronize_session=False))
        await self._update(*_WAITING, OutboxMessage.due_at > time_after(furthest), due_at=AT_ONCE)

    async def _update(self, *conditions: ColumnElement[bool], **values: Any) -> None:
        statement = update(OutboxMessage).where(*conditions).values(values)
        await self.session.execute(statement.execution_options(synchronize_session=False))


# The fields of a claim, in their order.
_CLAIMED = (
    OutboxMessage.id,
    OutboxMessage.attempts,
    OutboxMessage.kind,
    OutboxMessage.key,
    OutboxMessage.payload,
    OutboxMessage.request_id,
    OutboxMessage.error,
)
_WAITING = (OutboxMessage.delivered_at.is_(None), OutboxMessage.parked_at.is_(None))


def _due(but: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    other_kinds = (OutboxMessage.kind.not_in(but),) if but else ()
    return (*_WAITING, OutboxMessage.due_at <= time_after(0), *other_kinds)


def _claimable(but: Collection[str]) -> Any:
    """Returns the due messages, except those behind another of their key that waits, is being tried or is parked."""
    other = aliased(OutboxMessage)
    before = exists().where(
        other.key == OutboxMessage.key,
        other.delivered_at.is_(None),
        # A message with a greater ID may be under way, if it was committed first.
        or_(other.id < OutboxMessage.id, other.due_at > time_after(0)),
    )
    return select(OutboxMessage.id).where(*_due(but), ~before).order_by(OutboxMessage.due_at, OutboxMessage.id)


_table: Any = OutboxMessage.__table__
# This bypasses the unit of work and does not return the ID, so that a message costs a request next to nothing.
_PUT = insert(_table).values(due_at=AT_ONCE).inline()
_DELIVERED = (
    update(_table)
    .where(_table.c.id == bindparam("claimed_id"), _table.c.attempts == bindparam("attempt"))
    .values(delivered_at=func.now(), payload="", error=None)
)
