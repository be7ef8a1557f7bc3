"""`make outbox` lists the messages that wait and those that are parked, and retries the latter."""

import pytest
from sqlalchemy import func, update

from app.core.config import Settings
from app.core.database import Database
from app.domain.messages import Message
from app.domain.models.outbox_message import OutboxMessage
from app.repository.outbox_repository import OutboxRepository, put_message
from scripts import outbox


class Noted(Message):
    text: str


@pytest.fixture(autouse=True)
async def _the_same_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stay_open() -> None: ...

    monkeypatch.setattr(database, "close", stay_open)
    monkeypatch.setattr(outbox, "patient_database", lambda _: database)


async def put(database: Database, text: str, **values: object) -> int:
    async with database.transaction() as session:
        await put_message(session, Noted(text=text), key=text)
        (claim,) = await OutboxRepository(session).claim(1, 60)
        if values:
            await session.execute(update(OutboxMessage).where(OutboxMessage.id == claim.id).values(values))
    return claim.id


async def test_it_says_what_waits_what_fails_and_what_is_parked(settings: Settings, database: Database) -> None:
    assert (await outbox.report(settings)).splitlines() == [
        "waiting  0",
        "failing  0 of these, which are tried again",
        "parked   0",
    ]
    await put(database, "delivered", delivered_at=func.now())
    await put(database, "waiting")
    await put(database, "failing", error="TimeoutError")
    parked = await put(database, "parked", error="There is no such address.", parked_at=func.now())

    first, *others = (await outbox.report(settings)).splitlines()

    assert first.startswith("waiting  2, the oldest since 20")
    assert others == [
        "failing  1 of these, which are tried again",
        "parked   1",
        f"  {parked}: Noted, key 'parked', 1 attempts: There is no such address.",
    ]


async def test_what_is_parked_is_tried_anew(settings: Settings, database: Database) -> None:
    one, two, three = [await put(database, text, error="x", parked_at=func.now()) for text in ("one", "two", "three")]

    assert await outbox.replay(settings, str(two)) == "Messages to retry: 1."
    async with database.transaction() as session:
        assert [(claim.id, claim.attempt) for claim in await OutboxRepository(session).claim(10, 60)] == [(two, 1)]

    assert await outbox.replay(settings, "all") == "Messages to retry: 2."
    async with database.transaction() as session:
        assert [claim.id for claim in await OutboxRepository(session).claim(10, 60)] == [one, three]

    with pytest.raises(SystemExit, match=f"No message {two} is parked"):
        await outbox.replay(settings, str(two))


@pytest.mark.parametrize("given", ["none", "-1", "1; ls", "9" * 30, "²"])
async def test_what_is_no_id_is_refused_in_one_sentence(settings: Settings, given: str) -> None:
    with pytest.raises(SystemExit, match="takes an ID"):
        await outbox.replay(settings, given)
