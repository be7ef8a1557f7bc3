"""What is put into the outbox by a transaction is delivered once that is committed."""

from collections.abc import Awaitable, Callable

import pytest

from app.api.deps import Providers
from app.core.database import Database
from app.domain.messages import Message
from app.repository.outbox_repository import Outcome, put_message
from app.service.handlers import Delivery

Deliver = Callable[[], Awaitable[list[Outcome]]]


class Noted(Message):
    text: str


@pytest.fixture
def noted(providers: Providers) -> list[str]:
    """The texts of the messages that were delivered, in their order."""
    texts: list[str] = []

    async def note(message: Noted, _: Delivery) -> None:
        texts.append(message.text)

    providers.outbox.handlers[Noted.kind] = (Noted, note)
    return texts


async def test_a_message_is_delivered_once_after_its_transaction(
    database: Database, deliver: Deliver, noted: list[str]
) -> None:
    async with database.transaction() as session:
        put_message(session, Noted(text="hello"))
        assert await deliver() == []

    assert [outcome.error for outcome in await deliver()] == [None]
    assert await deliver() == []
    assert noted == ["hello"]
