"""Users for tests. What a user has is said here, and in no other file of the tests."""

from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import User
from app.repository.user_repository import UserRepository

PASSWORD = "correct horse battery"

# A field that holds any text and that users may change themselves, for tests that change one.
NAME = "full_name"

_numbers = count(1)


def user_fields(**fields: Any) -> dict[str, Any]:
    """What a client sends; it differs in every field that must be unique."""
    number = next(_numbers)
    body = {
        "email": f"user-{number}@test.example",
        "password": PASSWORD,
        NAME: f"User {number}",
    }
    return body | fields


async def user_body(_: AsyncSession, /, **fields: Any) -> dict[str, Any]:
    """The same in the form that the factories of resources have."""
    return user_fields(**fields)


def user_row(**fields: Any) -> dict[str, Any]:
    """What the database holds, with a password that nobody knows unless a hash is given."""
    body = user_fields()
    del body["password"]
    return {"password_hash": "none"} | body | fields


async def create_user(session: AsyncSession, /, **fields: Any) -> User:
    return await UserRepository(session).create(**user_row(**fields))
