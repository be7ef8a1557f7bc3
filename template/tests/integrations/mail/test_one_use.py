"""A link that is used in two real transactions at the same time works once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from limits.aio.storage import MemoryStorage
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.core.exceptions import UnauthorizedError
from app.domain.models.user import User
from app.integrations.mail.account_service import AccountService
from app.integrations.mail.limits import MailLimiter
from app.integrations.mail.links import Links, Purpose
from app.integrations.mail.schemas import LinkedPassword
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.account_events import AccountEvents
from tests.factories.user_factory import PASSWORD, create_user

pytestmark = pytest.mark.xdist_group("server")


@pytest.fixture
async def committed(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    async with database.transaction() as session:
        await session.execute(delete(User))
    await database.close()


async def test_of_two_uses_at_once_the_second_is_refused(committed: Database, settings: Settings) -> None:
    async with committed.transaction() as session:
        user = await create_user(session)
    token = Links(settings).make(Purpose.RESET, user).partition("#token=")[2]

    async def use(session: AsyncSession) -> None:
        limiter = MailLimiter(settings, MemoryStorage())
        users, refresh_tokens = UserRepository(session), RefreshTokenRepository(session)
        service = AccountService(users, refresh_tokens, AccountEvents(), Links(settings), limiter)
        await service.reset_password(LinkedPassword(token=token, new_password=PASSWORD))

    async def use_as_well() -> None:
        async with committed.transaction() as session:
            await use(session)

    async with committed.transaction() as session:
        await use(session)
        second = asyncio.create_task(use_as_well())
        # This is long enough for it to reach the user's row, which the first transaction still locks.
        await asyncio.sleep(1)

    with pytest.raises(UnauthorizedError):
        await second
