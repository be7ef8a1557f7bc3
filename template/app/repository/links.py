"""Links from users to records of another table, such as favourites, of which each user has at most one a record."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import SQLColumnExpression, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.base import Link
from app.domain.models.user import User


@dataclass(frozen=True)
class Linked:
    """How many users have a link to a record, and whether the caller is one of them."""

    count: int = 0
    is_mine: bool = False


class LinkRepository[Model: Link]:
    """Reads and writes the links of one model. No method commits: the session belongs to the request."""

    model: type[Model]
    # The column with the ID of the record that a link leads to.
    target: ClassVar[str]

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    @property
    def _target(self) -> SQLColumnExpression[UUID]:
        column: SQLColumnExpression[UUID] = getattr(self.model, self.target)
        return column

    async def add(self, user_id: UUID, target_id: UUID) -> None:
        """Creates the link. Does nothing if it exists, even if another request creates it at the same time."""
        key: dict[str, Any] = {"user_id": user_id, self.target: target_id}
        if await self.session.get(self.model, key):
            return
        try:
            async with self.session.begin_nested():
                self.session.add(self.model(**key))
        except IntegrityError:
            if not await self.session.get(self.model, key):
                raise

    async def remove(self, user_id: UUID, target_id: UUID) -> None:
        """Deletes the link. Does nothing if it does not exist."""
        await self.session.execute(delete(self.model).where(self.model.user_id == user_id, self._target == target_id))

    async def count(self, target_ids: Collection[UUID], caller: User | None) -> Mapping[UUID, Linked]:
        """Counts the links to each of the records, in one statement. Links of deleted users do not count."""
        is_mine = self.model.user_id == (caller.id if caller else None)
        statement = (
            select(self._target, func.count(), func.count().filter(is_mine))
            .join(User, User.id == self.model.user_id)
            .where(self._target.in_(target_ids), User.deleted_at.is_(None))
            .group_by(self._target)
        )
        counted = await self.session.execute(statement)
        found = {target_id: Linked(count, bool(mine)) for target_id, count, mine in counted}
        return {target_id: found.get(target_id, Linked()) for target_id in target_ids}
