"""Every repository has these methods; a model with a reference serves as the example."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.exceptions import ConflictError
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.repository.base import Repository
from tests.factories.user_factory import create_user


class RefreshTokens(Repository[Any]):
    model = RefreshToken
    sortable = ()


def token(user_id: UUID) -> dict[str, Any]:
    return {"session_id": uuid7(), "user_id": user_id, "token_hash": str(uuid7()), "expires_at": utc_now()}


async def test_what_is_there_can_be_referred_to(session: AsyncSession) -> None:
    user = await create_user(session)

    created = await RefreshTokens(session).create(**token(user.id))

    assert created.user_id == user.id


async def test_what_is_deleted_cannot_be_referred_to(session: AsyncSession) -> None:
    user = await create_user(session)
    user.deleted_at = utc_now()
    await session.flush()

    with pytest.raises(ConflictError):
        await RefreshTokens(session).create(**token(user.id))


async def test_what_was_never_there_cannot_be_referred_to(session: AsyncSession) -> None:
    with pytest.raises(ConflictError):
        await RefreshTokens(session).create(**token(uuid7()))
