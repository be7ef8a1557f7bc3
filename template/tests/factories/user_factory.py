"""Users for tests."""

from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import User
from app.repository.user_repository import UserRepository

_numbers = count(1)


async def create_user(session: AsyncSession, /, **values: Any) -> User:
    """One with a password that nobody knows."""
    number = next(_numbers)
    user = {"email": f"user-{number}@test.example", "password_hash": "none", "full_name": f"User {number}"}
    return await UserRepository(session).create(**user | values)
