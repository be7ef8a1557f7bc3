"""What every repository can do. All SQL lives in this package."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.models.base import Entity, utc_now
from app.domain.schemas.common import ListQuery


@dataclass(frozen=True)
class Slice[Model]:
    """One page of a list; `total` counts all matches, or is None when nobody asked."""

    items: Sequence[Model]
    total: int | None
    page: int
    limit: int

    @property
    def total_pages(self) -> int | None:
        return None if self.total is None else -(-self.total // self.limit)


class Repository[Model: Entity]:
    """Reads and writes the records of one model that are not deleted.

    Nothing here commits: the session belongs to the request.
    """

    model: type[Model]
    sortable: ClassVar[Sequence[InstrumentedAttribute[Any]]]
    searchable: ClassVar[Sequence[InstrumentedAttribute[str]]] = ()

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, record_id: UUID) -> Model | None:
        return await self.session.scalar(select(self.model).where(self.model.id == record_id, self._live))

    async def list(self, query: ListQuery) -> Slice[Model]:
        conditions = [self._live, *self._matches(query.search)]
        total = select(func.count()).select_from(self.model).where(*conditions)
        statement = select(self.model).where(*conditions).order_by(*self._order(query))
        statement = statement.limit(query.limit).offset((query.page - 1) * query.limit)
        if not query.count:
            return Slice((await self.session.scalars(statement)).all(), None, query.page, query.limit)

        # One statement for both; only a page past the end has no row that could carry the total.
        rows = (await self.session.execute(statement.add_columns(total.scalar_subquery()))).all()
        count = rows[0][1] if rows else 0 if query.page == 1 else await self.session.scalar(total)
        return Slice([row[0] for row in rows], count, query.page, query.limit)

    async def create(self, **values: Any) -> Model:
        record = self.model(**values)
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record_id: UUID, **values: Any) -> Model | None:
        """Writes in one statement what a read before it would only guess at. None when there is no such record."""
        if not values:
            return await self.get(record_id)
        statement = update(self.model).where(self.model.id == record_id, self._live).values(**values)
        return await self.session.scalar(statement.returning(self.model), execution_options={"populate_existing": True})

    async def delete(self, record_id: UUID) -> bool:
        """Marks the record as deleted. False when there is no such record."""
        return await self.update(record_id, deleted_at=utc_now()) is not None

    @property
    def _live(self) -> ColumnElement[bool]:
        return self.model.deleted_at.is_(None)

    def _matches(self, search: str | None) -> Sequence[ColumnElement[bool]]:
        if not search:
            return ()
        return (or_(*(column.icontains(search, autoescape=True) for column in self.searchable)),)

    def _order(self, query: ListQuery) -> Sequence[ColumnElement[Any]]:
        # The ID breaks ties, so that no record is on two pages.
        chosen = next(column for column in self.sortable if column.key == query.sort_by)
        columns = (chosen, self.model.id)
        return [column.asc() if query.sort_order == "asc" else column.desc() for column in columns]
