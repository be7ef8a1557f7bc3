"""The rules about users."""

from uuid import UUID

from app.core.exceptions import NotFoundError
from app.core.passwords import hash_password
from app.domain.models.user import User
from app.domain.schemas.user import UserCreate, UserListQuery, UserUpdate
from app.repository.base import Slice
from app.repository.user_repository import UserRepository


class UserService:
    def __init__(self, users: UserRepository) -> None:
        self.users = users

    async def list(self, query: UserListQuery) -> Slice[User]:
        return await self.users.list(query)

    async def get(self, user_id: UUID) -> User:
        """Raises NotFoundError."""
        return _found(await self.users.get(user_id))

    async def create(self, data: UserCreate) -> User:
        password_hash = await hash_password(data.password)
        return await self.users.create(**data.model_dump(exclude={"password"}), password_hash=password_hash)

    async def update(self, user_id: UUID, data: UserUpdate) -> User:
        """Writes the fields that were sent. Raises NotFoundError."""
        changes = data.model_dump(exclude_unset=True)
        return _found(await self.users.update(user_id, **changes))

    async def delete(self, user_id: UUID) -> None:
        """Raises NotFoundError."""
        if not await self.users.delete(user_id):
            raise NotFoundError


def _found(user: User | None) -> User:
    if user is None:
        raise NotFoundError
    return user
