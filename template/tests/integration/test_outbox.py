"""The outbox delivers the messages of a transaction once it is committed, and tries again when a delivery fails."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import Providers
from app.core.context import request_id
from app.core.database import Database
from app.core.exceptions import UnprocessableError
from app.domain.messages import Message
from app.domain.models.outbox_message import AT_ONCE, OutboxMessage
from app.repository.outbox_repository import MAXIMUM_SIZE, OutboxRepository, Outcome, put_message
from app.service.handlers import Delivery, DeliveryError, handles

Deliver = Callable[[], Awaitable[list[Outcome]]]

SECRET = "hunter2"


class Noted(Message):
    text: str


class Handler:
    """Records the texts that it gets, and fails for the chosen ones."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.deliveries: list[Delivery] = []
        self.requests: list[str | None] = []
        self.failures: dict[str, Exception] = {}

    async def __call__(self, message: Noted, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        if message.text in self.failures:
            raise self.failures[message.text]
        self.texts.append(message.text)
        self.requests.append(request_id.get())


@pytest.fixture
def handler(providers: Providers) -> Handler:
    handler = Handler()
    providers.outbox.handlers[Noted.kind] = (Noted, handler)
    return handler


async def put(database: Database, *texts: str, key: str | None = None) -> None:
    """Puts each text into the outbox, in a transaction of its own."""
    for text in texts:
        async with database.transaction() as session:
            await put_message(session, Noted(text=text), key=key)


async def all_due(database: Database) -> None:
    """Makes all messages due, as if time had passed."""
    async with database.transaction() as session:
        await session.execute(update(OutboxMessage).values(due_at=AT_ONCE))


@pytest.fixture
def rows(database: Database) -> Callable[[], Awaitable[list[OutboxMessage]]]:
    async def rows() -> list[OutboxMessage]:
        async with database.reading() as session:
            return list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))

    return rows


Rows = Callable[[], Awaitable[list[OutboxMessage]]]


async def test_a_message_is_delivered_after_its_transaction_and_its_row_keeps_nothing_of_it(
    database: Database, deliver: Deliver, handler: Handler, rows: Rows
) -> None:
    await put(database, "hello")

    assert [outcome.error for outcome in await deliver()] == [None]
    assert await deliver() == []
    assert handler.texts == ["hello"]
    (row,) = await rows()
    assert (row.payload, row.attempts) == ("", 1)
    assert row.delivered_at is not None


async def test_what_is_rolled_back_is_never_delivered(database: Database, deliver: Deliver, handler: Handler) -> None:
    async with database.transaction() as session:
        await put_message(session, Noted(text="never"))
        await session.flush()
        await session.rollback()

    assert await deliver() == []
    assert handler.texts == []


async def test_the_handler_knows_the_request_that_wrote_the_message(
    database: Database, deliver: Deliver, handler: Handler
) -> None:
    request_id.set("the-request")
    await put(database, "hello")
    request_id.set(None)

    await deliver()

    assert handler.requests == ["the-request"]


async def test_messages_of_one_key_are_delivered_in_their_order_whatever_fails(
    database: Database, deliver: Deliver, handler: Handler
) -> None:
    handler.failures["first"] = ConnectionError()
    await put(database, "first", "second", key="a")
    await put(database, "other", key="b")
    await put(database, "free")

    await deliver()
    assert sorted(handler.texts) == ["free", "other"]

    await all_due(database)
    handler.failures.clear()
    await deliver()
    assert handler.texts[2:] == ["first", "second"]


async def test_one_key_is_never_claimed_twice_at_a_time(database: Database) -> None:
    await put(database, "first", "second", key="a")
    await put(database, "other", key="b")

    async with database.transaction() as session:
        claims = await OutboxRepository(session).claim(10, 60)
        more = await OutboxRepository(session).claim(10, 60)

    assert [claim.key for claim in claims] == ["a", "b"]
    assert more == []


async def test_what_was_committed_late_waits_for_one_of_its_key_that_is_under_way(database: Database) -> None:
    await put(database, "first", "second", key="a")
    async with database.transaction() as session:
        later = select(func.max(OutboxMessage.id)).scalar_subquery()
        claim = OutboxRepository(session)
        await session.execute(update(OutboxMessage).where(OutboxMessage.id < later).values(parked_at=func.now()))
        await session.execute(update(OutboxMessage).where(OutboxMessage.id == later).values(key="b"))
        assert len(await claim.claim(10, 60)) == 1
        await session.execute(update(OutboxMessage).values(key="a", parked_at=None))

        assert await claim.claim(10, 60) == []


async def test_a_message_that_fails_waits_and_is_parked_at_last_before_its_own_key_only(
    database: Database, deliver: Deliver, handler: Handler, rows: Rows, providers: Providers
) -> None:
    attempts = providers.outbox._settings.OUTBOX_ATTEMPTS
    handler.failures["bad"] = ConnectionError(SECRET)
    await put(database, "bad", "blocked", key="a")

    for number in range(1, attempts + 1):
        (outcome,) = await deliver()
        assert (outcome.delay is None) == (number == attempts)
        assert await deliver() == []
        if number < attempts:
            await all_due(database)
    await put(database, "good", key="b")
    await all_due(database)
    await deliver()

    assert handler.texts == ["good"]
    bad, blocked, _ = await rows()
    assert bad.parked_at is not None
    assert (bad.attempts, blocked.attempts) == (attempts, 0)
    assert [delivery.attempt for delivery in handler.deliveries[:attempts]] == list(range(1, attempts + 1))
    assert {delivery.id for delivery in handler.deliveries[:attempts]} == {bad.id}


async def test_the_pause_doubles_up_to_an_hour_and_a_part_of_it_is_chance(
    database: Database, deliver: Deliver, handler: Handler
) -> None:
    handler.failures["bad"] = ConnectionError()
    await put(database, "bad")
    delays = []
    for _ in range(14):
        delays += [outcome.delay or 0 for outcome in await deliver()]
        await all_due(database)

    for attempt, delay in enumerate(delays, 1):
        longest = min(2**attempt, 3600)
        assert longest / 2 <= delay <= longest
    assert len({delay / 2**attempt for attempt, delay in enumerate(delays, 1)}) > 1


async def test_of_an_error_nothing_is_stored_that_may_be_a_secret(
    database: Database, deliver: Deliver, handler: Handler, rows: Rows
) -> None:
    handler.failures = {"raised": ValueError(SECRET), "said": DeliveryError("The server refused it. " + "x" * 1000)}
    await put(database, "raised", "said")

    await deliver()

    raised, said = await rows()
    assert raised.error == "ValueError"
    assert said.error is not None
    assert said.error.startswith("The server refused it. xxx")
    assert len(said.error) == 500


async def test_what_can_never_be_delivered_is_parked_at_once(
    database: Database, deliver: Deliver, handler: Handler, rows: Rows
) -> None:
    handler.failures["refused"] = DeliveryError("There is no such address.", final=True)
    await put(database, "refused")

    await deliver()

    (row,) = await rows()
    assert (row.error, row.attempts) == ("There is no such address.", 1)
    assert row.parked_at is not None


async def test_a_message_of_another_version_is_kept_and_named(
    database: Database, deliver: Deliver, handler: Handler, providers: Providers, rows: Rows
) -> None:
    class Removed(Message):
        text: str

    class Changed(Message, kind="Noted"):
        other: str

    async with database.transaction() as session:
        await put_message(session, Removed(text="x"))
        await put_message(session, Changed(other=SECRET))

    await deliver()

    assert handler.texts == []
    removed, changed = await rows()
    assert removed.error == "This version of the application has no handler of Removed."
    assert changed.error == "The stored message does not fit Noted of this version: text."
    assert removed.delivered_at is removed.parked_at is changed.delivered_at is changed.parked_at is None

    async def handle(_: Removed, __: Delivery) -> None: ...

    providers.outbox.handlers["Removed"] = (Removed, handle)
    await all_due(database)
    assert [outcome.error for outcome in await deliver() if outcome.claim.kind == "Removed"] == [None]


async def test_a_handler_that_takes_too_long_is_stopped_and_tried_again(
    database: Database, providers: Providers, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = providers.outbox._settings.model_copy(update={"OUTBOX_TIMEOUT": 0.01})
    monkeypatch.setattr(providers.outbox._deliverer, "_settings", hasty)

    async def hang(_: Noted, __: Delivery) -> None:
        await asyncio.Event().wait()

    providers.outbox.handlers[Noted.kind] = (Noted, hang)
    await put(database, "hello")

    (outcome,) = await deliver()

    assert outcome.error == "The handler did not end within 0.01 seconds."
    assert outcome.delay is not None


async def test_a_message_whose_processes_were_killed_each_time_is_parked(
    database: Database, deliver: Deliver, handler: Handler, rows: Rows, providers: Providers
) -> None:
    await put(database, "deadly")
    async with database.transaction() as session:
        await session.execute(update(OutboxMessage).values(attempts=providers.outbox._settings.OUTBOX_ATTEMPTS))

    await deliver()

    assert handler.texts == []
    (row,) = await rows()
    assert row.parked_at is not None
    assert row.error == "Every process that tried stopped before it was done."


async def test_who_lost_a_claim_changes_nothing(database: Database, session: AsyncSession, rows: Rows) -> None:
    await put(database, "hello")
    outbox = OutboxRepository(session)
    (lost,) = await outbox.claim(1, -1)
    (kept,) = await outbox.claim(1, 60)

    await outbox.settle([Outcome(lost), Outcome(lost, error="x"), Outcome(lost, error="x", delay=1)])
    await session.commit()
    (row,) = await rows()
    assert (row.delivered_at, row.parked_at, row.error, row.attempts) == (None, None, None, 2)

    await outbox.settle([Outcome(kept)])
    await session.commit()
    assert (await rows())[0].delivered_at is not None


async def test_what_was_delivered_goes_after_a_while(
    database: Database, session: AsyncSession, deliver: Deliver, handler: Handler, rows: Rows
) -> None:
    await put(database, "delivered")
    await deliver()
    await put(database, "waiting")

    await OutboxRepository(session).clean(keep=60, furthest=60)
    await session.commit()
    assert len(await rows()) == 2

    await OutboxRepository(session).clean(keep=-60, furthest=60)
    await session.commit()
    assert [row.delivered_at for row in await rows()] == [None]
    assert handler.texts == ["delivered"]


async def test_a_clock_that_jumped_back_delays_nothing_for_long(database: Database, session: AsyncSession) -> None:
    await put(database, "hello")
    outbox = OutboxRepository(session)
    await outbox.claim(1, 24 * 3600)

    await outbox.clean(keep=60, furthest=25 * 3600)
    assert await outbox.claim(1, 60) == []
    await outbox.clean(keep=60, furthest=3600)
    assert len(await outbox.claim(1, 60)) == 1


async def test_a_message_that_is_too_large_is_refused_when_it_is_put(
    session: AsyncSession, deliver: Deliver, handler: Handler
) -> None:
    with pytest.raises(UnprocessableError, match=r"This is too large to send: Noted has 70011 bytes \(limit 65536\)"):
        await put_message(session, Noted(text="x" * 70_000))
    with pytest.raises(ValueError, match="at most 200 characters"):
        await put_message(session, Noted(text="x"), key="x" * 201)
    await put_message(session, Noted(text="x" * (MAXIMUM_SIZE - 11)))
    await session.commit()

    assert len(await deliver()) == 1
    assert len(handler.texts) == 1


def test_a_kind_has_one_handler() -> None:
    class Lonely(Message):
        pass

    async def handle(_: Lonely, __: Delivery) -> None: ...

    handles(Lonely)(handle)
    with pytest.raises(ValueError, match="Lonely has a handler already"):
        handles(Lonely)(handle)
