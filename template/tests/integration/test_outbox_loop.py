"""The loop that delivers messages is woken by commits, shares the work with other processes, and survives errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import dropwhile
from time import monotonic

import pytest
from sqlalchemy import Engine, delete, event, select, text

from app.core.config import Settings
from app.core.database import Database
from app.core.logging import configure_logging
from app.domain.messages import Message
from app.domain.models.outbox_message import AT_ONCE, OutboxMessage
from app.repository.outbox_repository import put_message
from app.service import outbox as outbox_module
from app.service.handlers import Delivery
from app.service.outbox import Outbox
from tests.waiting import until

# Seconds that no test lasts: a loop that works sooner was woken.
NEVER = 3600.0
SOON = 0.05


class Noted(Message):
    text: str


type Handle = Callable[[Noted, Delivery], Awaitable[None]]


@pytest.fixture
async def committed(settings: Settings) -> AsyncIterator[Database]:
    """Yields a database that really commits."""
    configure_logging(settings)
    database = Database(settings)
    yield database
    async with database.transaction() as session:
        await session.execute(delete(OutboxMessage))
    await database.close()


class Loop:
    """The loop of another process, and what it has delivered."""

    def __init__(self, settings: Settings, database: Database, poll: float, handle: Handle | None = None) -> None:
        self.texts: list[str] = []
        self.outbox = Outbox(settings.model_copy(update={"OUTBOX_POLL": poll}), database)
        self.outbox.handlers[Noted.kind] = (Noted, handle or self._note)

    async def _note(self, message: Noted, _: Delivery) -> None:
        self.texts.append(message.text)


@asynccontextmanager
async def running(*loops: Loop) -> AsyncIterator[None]:
    if not loops:
        yield
        return
    async with loops[0].outbox.running(), running(*loops[1:]):
        yield


async def put(database: Database, *texts: str, key: str | None = None) -> None:
    for written in texts:
        async with database.transaction() as session:
            await put_message(session, Noted(text=written), key=key)


async def rows(database: Database) -> list[OutboxMessage]:
    async with database.reading() as session:
        return list(await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


async def until_delivered(database: Database) -> None:
    for _ in range(1200):
        if all(row.delivered_at for row in await rows(database)):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def test_a_commit_wakes_the_loop_and_nothing_before_it_does(settings: Settings, committed: Database) -> None:
    loop = Loop(settings, committed, NEVER)
    async with running(loop):
        await until(lambda: not loop.outbox._woken.is_set())
        async with committed.transaction() as session:
            await put_message(session, Noted(text="hello"))
            await session.flush()
            assert not loop.outbox._woken.is_set()

        await until(lambda: loop.texts == ["hello"])
        await until_delivered(committed)


async def test_messages_of_a_key_follow_each_other_without_a_pause(settings: Settings, committed: Database) -> None:
    texts = [str(number) for number in range(50)]
    loop = Loop(settings, committed, NEVER)
    async with running(loop):
        await put(committed, *texts, key="a")

        await until(lambda: len(loop.texts) == len(texts))

    assert loop.texts == texts


async def test_what_another_process_could_not_deliver_is_found(settings: Settings, committed: Database) -> None:
    loop = Loop(settings, committed, SOON)
    async with running(loop):
        async with committed.transaction() as session:
            session.add(OutboxMessage(kind="Noted", payload='{"text": "left"}'))

        await until(lambda: loop.texts == ["left"])


async def test_several_processes_deliver_each_message_once(settings: Settings, committed: Database) -> None:
    texts = [str(number) for number in range(100)]
    loops = [Loop(settings, committed, SOON) for _ in range(3)]
    async with running(*loops):
        await put(committed, *texts)
        await until_delivered(committed)

    assert sorted(text for loop in loops for text in loop.texts) == sorted(texts)


async def test_a_message_that_hangs_holds_up_no_other(settings: Settings, committed: Database) -> None:
    done = asyncio.Event()
    texts: list[str] = []

    async def handle(message: Noted, _: Delivery) -> None:
        if message.text == "hangs":
            await done.wait()
        texts.append(message.text)

    async with running(Loop(settings, committed, NEVER, handle)):
        await put(committed, "hangs", "1", "2")
        await until(lambda: texts == ["1", "2"])
        done.set()
        await until(lambda: texts == ["1", "2", "hangs"])


async def test_a_message_that_failed_is_tried_again_at_its_time(settings: Settings, committed: Database) -> None:
    attempts: list[int] = []

    async def handle(_: Noted, delivery: Delivery) -> None:
        attempts.append(delivery.attempt)
        if delivery.attempt == 1:
            raise ConnectionError

    async with running(Loop(settings, committed, NEVER, handle)):
        await put(committed, "hello")
        await until_delivered(committed)

    assert attempts == [1, 2]


async def test_at_its_end_it_lets_deliveries_end_and_leaves_the_others_to_other_processes(
    settings: Settings, committed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "GRACE", 0.2)
    begun: list[str] = []
    stopping = asyncio.Event()

    async def handle(message: Noted, _: Delivery) -> None:
        begun.append(message.text)
        await (stopping if message.text == "ends" else asyncio.Event()).wait()

    async with running(Loop(settings, committed, NEVER, handle)):
        await put(committed, "ends", "hangs")
        await until(lambda: len(begun) == 2)
        asyncio.get_running_loop().call_soon(stopping.set)

    ended, hung = await rows(committed)
    assert ended.delivered_at is not None
    assert (hung.delivered_at, hung.attempts, hung.due_at) == (None, 0, AT_ONCE)


async def test_an_idle_loop_only_reads(settings: Settings, committed: Database) -> None:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    def once_idle() -> list[str]:
        """Returns the statements from when the loop is idle: the first of these is a read."""
        return list(dropwhile("SELECT".__ne__, statements))

    loop = Loop(settings, committed, SOON)
    loop.outbox._clean_at = NEVER + monotonic()
    async with running(loop):
        await until(lambda: not loop.outbox._woken.is_set())
        event.listen(Engine, "before_cursor_execute", note)
        await until(lambda: len(once_idle()) > 5)
        event.remove(Engine, "before_cursor_execute", note)

    assert set(once_idle()) == {"SELECT"}


async def test_the_loop_outlives_a_database_that_cannot_be_used_and_says_so_once(
    settings: Settings, committed: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "LONGEST_PAUSE", SOON)
    failures: list[object] = []
    loop = Loop(settings, committed, SOON)
    look = loop.outbox._look

    async def count() -> None:
        try:
            await look()
        except Exception as error:
            failures.append(error)
            raise

    monkeypatch.setattr(loop.outbox, "_look", count)
    async with running(loop):
        await _rename(committed, "outbox", "gone")
        try:
            await until(lambda: len(failures) > 2)
        finally:
            await _rename(committed, "gone", "outbox")
        await put(committed, "hello")
        await until(lambda: loop.texts == ["hello"])

    log = capsys.readouterr().out
    assert log.count("the outbox is not available") == 1
    assert log.count("the outbox is available again") == 1


async def _rename(database: Database, old: str, new: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
