"""Provides stand-ins for the database, so that a unit test shows one rule and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.domain.messages import Message
from app.domain.models.base import Entity, utc_now
from app.domain.models.user import Role, User
from app.domain.schemas.common import ListQuery
from app.repository.base import Repository, Slice
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository


class FakeRepository[Model: Entity](Repository[Model]):
    """Keeps records in memory, and the messages that a service has put."""

    def __init__(self) -> None:
        self.records: dict[UUID, Model] = {}
        self.messages: list[Message] = []

    async def get(self, record_id: UUID) -> Model | None:
        record = self.records.get(record_id)
        return record if record is not None and record.deleted_at is None else None

    async def list(self, query: ListQuery) -> Slice[Model]:
        live = [record for record in self.records.values() if record.deleted_at is None]
        return Slice(live[: query.limit], len(live), query.page, query.limit)

    async def create(self, /, **values: Any) -> Model:
        record = self.model(id=uuid7(), version=1, **self._listed(values))
        self.records[record.id] = record
        return record

    async def update(self, record_id: UUID, /, **values: Any) -> Model | None:
        record = await self.get(record_id)
        if record is None:
            return None
        if any(getattr(record, name) != value for name, value in values.items()):
            record.version += 1
        for name, value in self._listed(values).items():
            setattr(record, name, value)
        return record

    def _listed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the values as the model takes them: each ID in a list becomes a record with nothing but the ID."""
        listed = dict(values)
        for each in getattr(self, "related", ()):
            if each.ids in listed:
                listed[each.relation.key] = [each.model(id=record_id) for record_id in listed.pop(each.ids)]
        return listed

    async def delete(self, record_id: UUID) -> bool:
        return await self.update(record_id, deleted_at=utc_now()) is not None

    async def put_message(self, message: Message, *, key: str | UUID | None = None) -> None:
        self.messages.append(message)


class FakeUserRepository(FakeRepository[User], UserRepository):
    async def lock_admins(self) -> Sequence[UUID]:
        live = [user for user in self.records.values() if user.deleted_at is None]
        return [user.id for user in live if user.role is Role.ADMIN]


class FakeRefreshTokenRepository(RefreshTokenRepository):
    """Remembers whose sessions were ended."""

    def __init__(self) -> None:
        self.revoked: list[UUID] = []

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        self.revoked.append(user_id)
