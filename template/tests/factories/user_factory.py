"""Creates users for tests. No other file of the tests names the required fields of a user."""

from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import User
from app.repository.user_repository import UserRepository

PASSWORD = "correct horse battery"

# A text field that users may change themselves, for tests that change a field.
NAME = "full_name"

_numbers = count(1)


def user_fields(**fields: Any) -> dict[str, Any]:
    """Returns what a client sends to create a user. Every field that must be unique differs each time."""
    number = next(_numbers)
    body = {
        "email": f"user-{number}@test.example",
        "password": PASSWORD,
        NAME: f"User {number}",
    }
    return body | fields


async def user_body(_: AsyncSession, /, **fields: Any) -> dict[str, Any]:
    """Returns the same. The factories of resources have this signature."""
    return user_fields(**fields)


def user_row(**fields: Any) -> dict[str, Any]:
    """Returns the values of a row. Nobody knows the password unless a hash is given."""
    body = user_fields()
    del body["password"]
    return {"password_hash": "none"} | body | fields


async def create_user(session: AsyncSession, /, **fields: Any) -> User:
    return await UserRepository(session).create(**user_row(**fields))
