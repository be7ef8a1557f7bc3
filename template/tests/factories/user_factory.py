"""Users for tests."""

from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import User
from app.repository.user_repository import UserRepository

_numbers = count(1)


async def user_body(_: AsyncSession, /, **fields: Any) -> dict[str, Any]:
    """What a client sends; it differs in every field that must be unique."""
    number = next(_numbers)
    body: dict[str, Any] = {
        "email": f"user-{number}@test.example",
        "password": "correct horse battery",
        "full_name": f"User {number}",
    }
    return body | fields


async def create_user(session: AsyncSession, /, **fields: Any) -> User:
    """One with a password that nobody knows, unless a hash is given."""
    body = await user_body(session)
    del body["password"]
    return await UserRepository(session).create(**{"password_hash": "none"} | body | fields)
