from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached

from app.core.session import WriteSession, after_commit
from app.domain.models.user import User
from app.domain.schemas.user import UserResponse
from app.integrations.cache.client import Cache
from app.repository.user_repository import UserRepository


class KeptUser(UserResponse):
    """A user as the cache holds them."""

    version: int


class PublicFields:
    """Keeps the fields of a user that clients may see, and never the hash of the password."""

    def dump(self, value: User) -> bytes:
        """Returns the user as JSON."""
        return KeptUser.model_validate(value).model_dump_json().encode()

    def load(self, kept: bytes) -> User:
        """Returns the user, detached: reading a field that is not kept raises DetachedInstanceError."""
        user = User(**KeptUser.model_validate_json(kept).model_dump())
        make_transient_to_detached(user)
        return user


class CachedUserRepository(UserRepository):
    """Reads single users through the cache. Decisions about access do not use it: they read the database each time."""

    def __init__(self, session: AsyncSession, cache: Cache) -> None:
        super().__init__(session)
        self.cache = cache

    async def get(self, record_id: UUID) -> User | None:
        """Returns the user from the cache, else from the database. Returns None if there is no such user."""
        read = partial(super().get, record_id)
        if isinstance(self.session, WriteSession):  # it sees what may yet be rolled back
            return await read()
        return await self.cache.read_through(_key(record_id), PublicFields(), read)

    async def update(self, record_id: UUID, /, **values: Any) -> User | None:
        """Removes the user from the cache as well. Returns None if there is no such user."""
        after_commit(self.session, partial(self.cache.forget, _key(record_id)))
        return await super().update(record_id, **values)


def _key(user_id: UUID) -> str:
    return f"user:{user_id}"
