"""Prometheus sees what the outbox delivers, and what waits in it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import update

from app.api.deps import Providers
from app.core.database import Database
from app.domain.messages import Message
from app.domain.models.base import utc_now
from app.domain.models.outbox_message import OutboxMessage
from app.integrations.metrics.integration import running
from app.repository.outbox_repository import Outcome, put_message
from app.service.handlers import Delivery, DeliveryError
from tests.integrations.metrics.test_metrics import read, value


class Counted(Message):
    error: str | None = None
    final: bool = False


async def handle(message: Counted, _: Delivery) -> None:
    if message.error:
        raise DeliveryError(message.error, final=message.final)


async def test_attempts_are_counted_by_their_outcome_and_messages_by_what_becomes_of_them(
    app: FastAPI,
    providers: Providers,
    database: Database,
    client: AsyncClient,
    deliver: Callable[[], Awaitable[list[Outcome]]],
) -> None:
    providers.outbox.handlers[Counted.kind] = (Counted, handle)
    before = await read(client)
    async with database.transaction() as session:
        for message in (Counted(), Counted(error="x"), Counted(error="x", final=True)):
            await put_message(session, message)
        await session.execute(update(OutboxMessage).values(created_at=utc_now() - timedelta(hours=1)))

    async with running(app, app.state.settings):
        await deliver()
        await providers.outbox._clean()

    after = await read(client)
    for outcome in ("delivered", "failed", "parked"):
        labels = {"kind": "Counted", "outcome": outcome}
        assert value(after, "outbox_attempts_total", **labels) - value(before, "outbox_attempts_total", **labels) == 1
    assert [value(after, name) for name in ("outbox_waiting", "outbox_parked")] == [1, 1]
    assert 3500 < value(after, "outbox_oldest_seconds") < 3700
