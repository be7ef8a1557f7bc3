"""Links from users to records of another table, such as favourites. A user has at most one link to a record."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import SQLColumnExpression, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database_errors import UNIQUE_VIOLATION
from app.domain.models.base import UserLink
from app.domain.models.user import User
from app.domain.schemas.common import LinkSummary


class LinkRepository[Model: UserLink]:
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
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
                raise

    async def remove(self, user_id: UUID, target_id: UUID) -> None:
        """Deletes the link. Does nothing if it does not exist."""
        await self.session.execute(delete(self.model).where(self.model.user_id == user_id, self._target == target_id))

    async def count(self, target_ids: Collection[UUID], caller: User | None) -> Mapping[UUID, LinkSummary]:
        """Counts the links to each of the records, in one statement. Links of deleted users do not count."""
        is_mine = self.model.user_id == (caller.id if caller else None)
        statement = (
            select(self._target, func.count(), func.count().filter(is_mine))
            .join(User, User.id == self.model.user_id)
            .where(self._target.in_(target_ids), User.deleted_at.is_(None))
            .group_by(self._target)
        )
        counts = dict.fromkeys(target_ids, LinkSummary(count=0, is_mine=False))
        for target_id, count, mine in await self.session.execute(statement):
            counts[target_id] = LinkSummary(count=count, is_mine=bool(mine))
        return counts
