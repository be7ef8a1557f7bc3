"""The loop in each process that delivers what transactions have put into the outbox."""

import asyncio
import random
from collections import ChainMap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Protocol

from loguru import logger

from app.core.config import Settings
from app.core.database import Database
from app.domain.messages import Message
from app.repository.outbox_repository import Claim, OutboxRepository, Outcome, listeners
from app.repository.outbox_state_repository import OutboxState, OutboxStateRepository
from app.service.delivery import LONGEST_DELAY, Deliverer
from app.service.handlers import HANDLERS, Handler

# How many messages one process delivers at a time.
CONCURRENCY = 20

# The times below are in seconds.
# How long the loop waits before it looks, so that a busy process delivers several at once.
GATHERING = 0.02
# How long a delivered message can still be seen, and how often older ones are removed.
KEPT = 24 * 3600.0
CLEANING_INTERVAL = 60.0
# How long the loop waits at most before it tries an unavailable database again.
LONGEST_PAUSE = 30.0
# How long deliveries may take to end, and after them the statements of the loop.
GRACE = 5.0


class Watcher(Protocol):
    """Receives the outcome of each attempt, and now and then the state of the outbox. It must not raise."""

    def ended(self, outcome: Outcome) -> None:
        """Takes the outcome of one attempt."""

    def counted(self, state: OutboxState) -> None:
        """Takes what the table holds, about once a minute."""


class Outbox:
    """Delivers the messages of the outbox. A process has one instance."""

    def __init__(self, settings: Settings, database: Database) -> None:
        # Tests and integrations may add handlers.
        self.handlers: ChainMap[str, tuple[type[Message], Handler[Any]]] = ChainMap({}, HANDLERS)
        self.watchers: list[Watcher] = []
        # The kinds of messages that this process leaves to others, or for later. No attempt is counted for them.
        self.left_alone: set[str] = set()
        self._settings = settings
        self._database = database
        self._deliverer = Deliverer(settings, database, self.handlers)
        self._lease = 2 * settings.OUTBOX_TIMEOUT
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._clean_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Delivers within the block. At its end, deliveries have a few seconds; other processes take over the rest."""
        self._stopping.clear()
        self._woken.set()
        listeners.add(self._woken.set)
        loop = asyncio.create_task(self._run())
        try:
            yield
        finally:
            listeners.discard(self._woken.set)
            await self._end(loop)

    async def deliver(self) -> list[Outcome]:
        """Delivers messages, one after the other, until none is due. It is for tests, where no loop runs."""
        outcomes: list[Outcome] = []
        while claims := await self._exchange(1):
            await self._deliver(claims[0])
            outcomes += self._outcomes
        return outcomes

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 (whatever it is: without the loop, nothing would be delivered)
                failures += 1
                if failures == 1:
                    _warn(error)
                await _wait(self._stopping, _jittered(min(2.0**failures, LONGEST_PAUSE)))
                continue
            if failures:
                logger.info("the outbox is available again")
            failures = 0

    async def _look(self) -> None:
        """Waits until there may be something to do, and begins it."""
        if await _wait(self._woken, _jittered(self._settings.OUTBOX_POLL)):
            await asyncio.sleep(GATHERING)
            self._woken.clear()
            await self._begin()
        elif await self._is_due():
            await self._begin()
        if monotonic() >= self._clean_at:
            await self._clean()
            self._clean_at = monotonic() + _jittered(CLEANING_INTERVAL)

    async def _clean(self) -> None:
        async with self._database.transaction() as session:
            await OutboxRepository(session).clean(KEPT, max(LONGEST_DELAY, self._lease))
        if self.watchers:
            async with self._database.reading() as session:
                state = await OutboxStateRepository(session).state()
            for watcher in self.watchers:
                watcher.counted(state)

    async def _is_due(self) -> bool:
        async with self._database.reading() as session:
            return await OutboxRepository(session).is_due(self.left_alone)

    async def _begin(self) -> None:
        free = 0 if self._stopping.is_set() else CONCURRENCY - len(self._under_way)
        for claim in await self._exchange(free):
            delivery = asyncio.create_task(self._deliver(claim))
            self._under_way.add(delivery)
            delivery.add_done_callback(self._ended)

    async def _exchange(self, limit: int) -> list[Claim]:
        """Stores the outcomes of earlier claims, and makes new claims."""
        outcomes = list(self._outcomes)
        async with self._database.transaction() as session:
            outbox = OutboxRepository(session)
            await outbox.settle(outcomes)
            claims = await outbox.claim(limit, self._lease, self.left_alone) if limit else []
        del self._outcomes[: len(outcomes)]
        return claims

    async def _deliver(self, claim: Claim) -> None:
        outcome = await self._deliverer.deliver(claim)
        self._outcomes.append(outcome)
        for watcher in self.watchers:
            watcher.ended(outcome)
        if outcome.delay is not None:
            # A second later than the message is due, so that it is due by the clock of the database as well.
            asyncio.get_running_loop().call_later(outcome.delay + 1, self._woken.set)

    def _ended(self, delivery: asyncio.Task[None]) -> None:
        self._under_way.discard(delivery)
        self._woken.set()

    async def _end(self, loop: asyncio.Task[None]) -> None:
        self._stopping.set()
        self._woken.set()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE)
        deliveries = list(self._under_way)
        for delivery in deliveries:
            delivery.cancel()
        await asyncio.wait([loop, *deliveries], timeout=GRACE)
        loop.cancel()
        try:
            await self._exchange(0)
        except Exception as error:  # noqa: BLE001 (what was not written down is delivered again when its lease ends)
            _warn(error)


def _warn(error: Exception) -> None:
    logger.bind(error=type(error).__name__).error("the outbox is not available")


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    """Returns whether the event was set within this time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311 (no secret)
