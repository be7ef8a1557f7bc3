"""What every repository can do. All SQL lives in this package."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.exceptions import BROKEN_REFERENCE, ConflictError
from app.domain.models.base import Entity, utc_now
from app.domain.schemas.common import ListQuery, SearchQuery
from app.repository.records import create, read


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


ESCAPE = "/"


def _literal(search: str) -> str:
    """What is searched for, with the wildcards of LIKE taken as what they are."""
    return re.sub(r"[/%_]", ESCAPE + r"\g<0>", search)


class Repository[Model: Entity]:
    """Reads and writes the records of one model that are not deleted.

    Nothing here commits: the session belongs to the request.
    """

    model: type[Model]
    sortable: ClassVar[Sequence[InstrumentedAttribute[Any]]]
    searchable: ClassVar[Sequence[InstrumentedAttribute[Any]]] = ()

    # None where a subclass has rules of its own about what it reads: they may hold values of one request.
    _statements: ClassVar[dict[Hashable, Any] | None]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        has_own_rules = (cls._live, cls._order) != (Repository._live, Repository._order)
        cls._statements = None if has_own_rules else {}

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, record_id: UUID) -> Model | None:
        found = await read(self.session, self.model, self._prebuilt("get", self._one), {"id": record_id})
        return found[0][0] if found else None

    async def list(self, query: ListQuery) -> Slice[Model]:
        search = query.search if isinstance(query, SearchQuery) else None
        shape = ("list", query.sort_by, query.sort_order, query.count, bool(search))
        statement = self._prebuilt(shape, lambda: self._page(query, is_search=bool(search)))
        values = {"search": _literal(search)} if search else {}
        window = {"limit": query.limit, "offset": (query.page - 1) * query.limit}
        rows = await read(self.session, self.model, statement, values | window)
        total = 0 if query.count else None
        if query.count and rows:
            total = rows[0][1]
        elif query.count and query.page > 1:  # past the end, where no row carries it
            total = await self.session.scalar(self._total(is_search=bool(search)), values)
        return Slice([row[0] for row in rows], total, query.page, query.limit)

    async def create(self, /, **values: Any) -> Model:
        """Raises ConflictError for a reference to a record that is deleted."""
        await self._lock_references(values)
        return await create(self.session, self.model, values)

    async def update(self, record_id: UUID, /, **values: Any) -> Model | None:
        """Writes in one statement what a read before it would only guess at. None when there is no such record.

        Raises ConflictError for a reference to a record that is deleted.
        """
        if not values:
            return await self.get(record_id)
        await self._lock_references(values)
        statement = update(self.model).where(self.model.id == record_id, self._live).values(**values)
        return await self.session.scalar(statement.returning(self.model), execution_options={"populate_existing": True})

    async def delete(self, record_id: UUID) -> bool:
        """Marks the record as deleted. False when there is no such record."""
        return await self.update(record_id, deleted_at=utc_now()) is not None

    async def _lock_references(self, values: Mapping[str, Any]) -> None:
        """Foreign keys know nothing of deletion that is a mark: what is referred to has to stay until we are done."""
        for key in self.model.__table__.foreign_keys:
            target, value = key.column.table, values.get(key.parent.key)
            if value is None or "deleted_at" not in target.columns:
                continue
            live = select(key.column).where(key.column == value, target.columns["deleted_at"].is_(None))
            if await self.session.scalar(live.with_for_update(read=True)) is None:
                raise ConflictError(BROKEN_REFERENCE.format(key.parent.key.replace("_", " ")))

    def _prebuilt[Statement](self, shape: Hashable, build: Callable[[], Statement]) -> Statement:
        """The statement of this shape, which is built once: that costs as much as to run it."""
        if self._statements is None:
            return build()
        if shape not in self._statements:
            self._statements[shape] = build()
        statement: Statement = self._statements[shape]
        return statement

    def _one(self) -> Select[Model]:
        return select(self.model).where(self.model.id == bindparam("id"), self._live)

    def _page(self, query: ListQuery, *, is_search: bool) -> Select[Any]:
        statement: Select[Any] = select(self.model).where(*self._matches(is_search=is_search))
        statement = statement.order_by(*self._order(query)).limit(bindparam("limit")).offset(bindparam("offset"))
        return statement.add_columns(self._total(is_search=is_search).scalar_subquery()) if query.count else statement

    def _total(self, *, is_search: bool) -> Select[int]:
        return select(func.count()).select_from(self.model).where(*self._matches(is_search=is_search))

    @property
    def _live(self) -> ColumnElement[bool]:
        return self.model.deleted_at.is_(None)

    def _matches(self, *, is_search: bool) -> Sequence[ColumnElement[bool]]:
        if not is_search:
            return (self._live,)
        search = bindparam("search", type_=String)
        return (self._live, or_(*(column.icontains(search, escape=ESCAPE) for column in self.searchable)))

    def _order(self, query: ListQuery) -> Sequence[ColumnElement[Any]]:
        # The ID breaks ties, so that no record is on two pages.
        chosen = next(column for column in self.sortable if column.key == query.sort_by)
        columns = (chosen, self.model.id)
        return [column.asc() if query.sort_order == "asc" else column.desc() for column in columns]
