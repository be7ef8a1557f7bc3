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

# In bytes. What is longer belongs into a table of its own, and its ID into the message.
MAXIMUM_SIZE = 64 * 1024
MAXIMUM_KEY_LENGTH = 200
MAXIMUM_ERROR_LENGTH = 500

# How many that were delivered long ago one statement removes.
BATCH = 1000

# What delivers in this process, to be told of each commit that wrote a message.
listeners: set[Callable[[], None]] = set()


async def put_message(session: AsyncSession, message: Message, *, key: str | UUID | None = None) -> None:
    """Has the message delivered once this transaction is committed, and never if it is rolled back.

    Messages with the same key are delivered one after the other, in their order. It is delivered at least once: what
    its handler does a second time must change nothing. Raises UnprocessableError if it is too large.
    """
    payload = message.model_dump_json()
    if (size := len(payload.encode())) > MAXIMUM_SIZE:
        raise UnprocessableError(f"This is too large to be sent: {message.kind} has {size} of {MAXIMUM_SIZE} bytes.")
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
    """A message that this process may deliver until its lease ends. Nobody else has its ID with this attempt."""

    id: int
    attempt: int
    kind: str
    key: str | None
    payload: str
    request_id: str | None
    error: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of a claim: it was delivered, or failed and is due after `delay` seconds, or parked without one."""

    claim: Claim
    error: str | None = None
    delay: float | None = None
    # Nobody tried: the process was told to stop.
    released: bool = False


class OutboxRepository:
    """The messages that wait, and those that were delivered or parked."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def is_due(self, but: Collection[str] = ()) -> bool:
        """Whether there may be something to claim, `but` of these kinds. It only reads."""
        return bool(await self.session.scalar(select(exists().where(*_due(but)))))

    async def claim(self, limit: int, lease: float, but: Collection[str] = ()) -> list[Claim]:
        """Takes as many as that for `lease` seconds: the first of each key, whatever other processes do not have.

        Those `but` of these kinds are left alone.
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
        """Writes down what became of claims, except of those that were lost meanwhile."""
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
        """Removes what was delivered more than `keep` seconds ago.

        What is due in more than `furthest` seconds was written before a clock jumped back: it is due now.
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
    """The messages that are due, save those before which another one of their key waits, is tried, or is parked."""
    other = aliased(OutboxMessage)
    before = exists().where(
        other.key == OutboxMessage.key,
        other.delivered_at.is_(None),
        # One with a greater number may be under way, if it was committed first.
        or_(other.id < OutboxMessage.id, other.due_at > time_after(0)),
    )
    return select(OutboxMessage.id).where(*_due(but), ~before).order_by(OutboxMessage.due_at, OutboxMessage.id)


_table: Any = OutboxMessage.__table__
# Past the unit of work, and without asking for the ID: a request that puts a message should hardly notice.
_PUT = insert(_table).values(due_at=AT_ONCE).inline()
_DELIVERED = (
    update(_table)
    .where(_table.c.id == bindparam("claimed_id"), _table.c.attempts == bindparam("attempt"))
    .values(delivered_at=func.now(), payload="", error=None)
)
