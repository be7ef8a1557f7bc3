"""The base of all repositories. SQL belongs in repositories only."""

import operator as compare
from collections.abc import AsyncGenerator, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getattr_static
from typing import Any, ClassVar, Self
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.interfaces import ORMOption

from app.core.exceptions import BROKEN_REFERENCE, ConflictError
from app.domain.messages import Message
from app.domain.models.base import Entity, utc_now
from app.domain.models.user import User
from app.domain.schemas.common import Filters, ListQuery, SearchFilters
from app.domain.schemas.filters import Operator, chosen_filters
from app.repository.keyset import Keyset
from app.repository.outbox_repository import put_message
from app.repository.readers import Readers
from app.repository.terms import take_terms

# How many records of a stream are in memory at a time.
BATCH = 500

type Batches[Model] = AsyncGenerator[Sequence[Model]]


@dataclass(frozen=True)
class Slice[Model]:
    """One page of a list.

    `total` counts all matches, or is None where the query did not ask for it. `page` is None after a cursor. `next` is
    the cursor of the next page, or None at the end.
    """

    items: Sequence[Model]
    total: int | None
    page: int | None
    limit: int
    next: str | None = None

    @property
    def total_pages(self) -> int | None:
        """The number of pages, or None if `total` is None."""
        return None if self.total is None else -(-self.total // self.limit)


class Repository[Model: Entity]:
    """Reads and writes the records of one model that are within `scope`.

    No method commits: the session belongs to the request.
    """

    model: type[Model]
    sortable: ClassVar[Sequence[InstrumentedAttribute[Any]]]
    searchable: ClassVar[Sequence[InstrumentedAttribute[Any]]] = ()
    # Who may read the records as expanded references. Routers decide who may read them directly.
    readers: ClassVar[Readers] = Readers.NOBODY

    # None if this class overrides how statements are built, since they may then hold values of one caller.
    _statements: ClassVar[dict[Hashable, Any] | None]
    # False if a subclass overrides `_order`: its list has page numbers only.
    _has_cursors: ClassVar[bool]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own_rules = [rule for rule in _RULES if getattr(cls, rule) is not getattr(Repository, rule)]
        is_computed = any(hasattr(getattr_static(cls, name, None), "__get__") for name in _DECLARED)
        cls._statements = None if own_rules or is_computed else {}
        cls._has_cursors = "_order" not in own_rules
        if "__init__" in vars(cls) and "readable_by" not in vars(cls):
            cls.readers = Readers.NOBODY

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    @classmethod
    def readable_by(cls, session: AsyncSession, caller: User | None) -> Self | None:
        """Returns a repository of the records that this caller may read, or None if the caller may read none.

        Override it where `__init__` takes more than the session, such as the tenant or the owner that `scope` uses:
        until then, nobody may read.
        """
        return cls(session) if cls.readers.include(caller) else None

    @property
    def scope(self) -> ColumnElement[bool]:
        """The records that exist for this repository: those that are not deleted.

        Every read and every write obeys it, so that it is the one place for a rule about a tenant, an owner or a
        status. Narrow it with a value of the instance, and use it in the statements that you write yourself:

            @property
            def scope(self) -> ColumnElement[bool]:
                return super().scope & (Invoice.tenant_id == self.tenant_id)
        """
        return self._live

    @property
    def _live(self) -> ColumnElement[bool]:
        """Deprecated: override `scope`. This name is removed in 0.6.0."""
        return self.model.deleted_at.is_(None)

    def seen_by(self, caller: User | None) -> Self:
        """Leaves records that this caller may not read out of lists of references. Returns this repository.

        Without this call, the lists are complete. Only a `RelatedRepository` has lists.
        """
        return self

    @property
    def loader_options(self) -> Sequence[ORMOption]:
        """The loader options of every read, such as those that load relationships. Override it to add your own."""
        return ()

    async def get(self, record_id: UUID) -> Model | None:
        """Returns the record, or None if there is none with this ID in `scope`."""
        statement = self._shared("get", lambda: self._select(bindparam("record_id")))
        return await self.session.scalar(statement, {"record_id": record_id})

    async def get_many(self, record_ids: Collection[UUID]) -> Sequence[Model]:
        """Returns the records in `scope` that have one of these IDs, in no order."""
        chosen = select(self.model).where(self.model.id.in_(record_ids), self.scope)
        return (await self.session.scalars(chosen.options(*self.loader_options))).all()

    async def list(self, query: ListQuery) -> Slice[Model]:
        """Returns the page that the query asks for, by its number or after a cursor. Raises InvalidCursorError."""
        if query.after:
            return await self._list_after(query)
        matches = self._matches(query)
        shape = ("list", query.sort_by, query.sort_order, query.count)
        page = self._page(query, matches) if matches else self._shared(shape, lambda: self._page(query))
        # The limit is one record more than the page has, to see whether another page follows.
        window = {"page_limit": query.limit + 1, "page_offset": (query.page - 1) * query.limit}
        if not query.count:
            return self._slice(query, (await self.session.scalars(page, window)).all(), None)

        # One statement returns the page and the total; only a page past the end has no row that could carry the total.
        rows = (await self.session.execute(page, window)).all()
        count = rows[0][1] if rows else 0 if query.page == 1 else await self.session.scalar(self._total(matches))
        return self._slice(query, [row[0] for row in rows], count)

    async def _list_after(self, query: ListQuery) -> Slice[Model]:
        keyset, matches, position = self._keyset(query), self._matches(query), query.after.position
        is_null = position.value is None

        def pages() -> Sequence[Select[Any]]:
            uncounted = query.model_copy(update={"count": False})
            return [self._page(uncounted, (*matches, rest)) for rest in keyset.after(null=is_null)]

        shape = ("after", query.sort_by, query.sort_order, is_null)
        values = keyset.values(position) | {"page_offset": 0}
        records: list[Model] = []
        for page in pages() if matches else self._shared(shape, pages):
            values["page_limit"] = query.limit + 1 - len(records)
            records += await self.session.scalars(page, values)
            if len(records) > query.limit:
                break
        is_counted = query.count and "count" in query.model_fields_set
        total = await self.session.scalar(self._total(matches)) if is_counted else None
        return self._slice(query, records, total)

    async def stream(self, query: Filters) -> Batches[Model]:
        """Yields all records that match, in batches, from a database cursor, so the session needs a transaction."""
        statement = self._page(query, self._matches(query)).limit(None).offset(None)
        result = await self.session.stream_scalars(statement, execution_options={"yield_per": BATCH})
        try:
            async for batch in result.partitions():
                yield batch
        finally:
            await result.close()

    def _slice(self, query: ListQuery, records: Sequence[Model], total: int | None) -> Slice[Model]:
        items, following = records[: query.limit], None
        if len(records) > query.limit and self._has_cursors:
            keyset = self._shared(("keyset", query.sort_by, query.sort_order), lambda: self._keyset(query))
            following = query.after.write(keyset.position(items[-1]))
        return Slice(items, total, None if query.after else query.page, query.limit, following)

    async def create(self, /, **values: Any) -> Model:
        """Creates the record. Raises ConflictError if a record that it refers to is deleted."""
        record = self.model(**await self._resolve(values))
        self.session.add(record)
        await self.session.flush()
        return record

    async def update(self, record_id: UUID, /, **values: Any) -> Model | None:
        """Changes the record, or returns None if there is none. Raises ConflictError if it refers to a deleted record.

        The record is locked first, so that two changes at the same time follow each other. Raises
        PreconditionFailedError if the request expects another version than the record then has.
        """
        terms = take_terms(self.session, record_id)
        if not values and terms is None:
            return await self.get(record_id)
        record = await self.session.scalar(self._shared("locked", self._locked), {"record_id": record_id})
        if record is None:
            return None
        written = values if terms is None else terms.applied(record, values)
        for name, value in (await self._resolve(written, record)).items():
            setattr(record, name, value)
        await self.session.flush()
        return record

    async def delete(self, record_id: UUID) -> bool:
        """Marks the record as deleted. Returns False if there is no such record."""
        return await self.update(record_id, deleted_at=utc_now()) is not None

    async def put_message(self, message: Message, *, key: str | UUID | None = None) -> None:
        """Has the message delivered once this transaction is committed: `put_message` of the outbox says how."""
        await put_message(self.session, message, key=key)

    async def _resolve(self, values: Mapping[str, Any], record: Model | None = None) -> Mapping[str, Any]:
        """Returns the values as the model takes them; `record` is the one to change, as it is before.

        Raises ConflictError if one of them refers to a deleted record.
        """
        await self._lock_references(values)
        return values

    async def _lock_references(self, values: Mapping[str, Any]) -> None:
        """Foreign keys ignore soft deletion, so lock each referenced row and check that it is live."""
        for key in self.model.__table__.foreign_keys:
            target, value = key.column.table, values.get(key.parent.key)
            if value is None or "deleted_at" not in target.columns:
                continue
            live = select(key.column).where(key.column == value, target.columns["deleted_at"].is_(None))
            if await self.session.scalar(live.with_for_update(read=True)) is None:
                raise ConflictError(BROKEN_REFERENCE.format(key.parent.key.replace("_", " ")))

    def _shared[Statement](self, shape: Hashable, build: Callable[[], Statement]) -> Statement:
        """Returns the statement of this shape, built once for all instances that have no attribute but `session`.

        Building a statement costs as much as running it.
        """
        if self._statements is None or vars(self).keys() != {"session"}:
            return build()
        if shape not in self._statements:
            self._statements[shape] = build()
        statement: Statement = self._statements[shape]
        return statement

    def _select(self, record_id: UUID | BindParameter[UUID]) -> Select[Model]:
        return select(self.model).where(self.model.id == record_id, self.scope).options(*self.loader_options)

    def _locked(self) -> Select[Model]:
        statement = self._select(bindparam("record_id")).with_for_update(of=self.model, key_share=True)
        return statement.execution_options(populate_existing=True)

    def _page(self, query: Filters, matches: Sequence[ColumnElement[bool]] = ()) -> Select[Any]:
        page: Select[Any] = select(self.model).where(self.scope, *matches).options(*self.loader_options)
        page = page.order_by(*self._order(query)).limit(bindparam("page_limit")).offset(bindparam("page_offset"))
        counts = isinstance(query, ListQuery) and query.count
        return page.add_columns(self._total(matches).scalar_subquery()) if counts else page

    def _total(self, matches: Sequence[ColumnElement[bool]]) -> Select[int]:
        return select(func.count()).select_from(self.model).where(self.scope, *matches)

    def _matches(self, query: Filters) -> Sequence[ColumnElement[bool]]:
        """The conditions of this query, besides `scope`.

        A filter of your own is a method named after its parameter, which the query declares with `Own`:

            def filter_overdue(self, value: bool) -> ColumnElement[bool]:
                return (Invoice.due < utc_now()) == value
        """
        conditions = [self._condition(*chosen) for chosen in chosen_filters(query)]
        if isinstance(query, SearchFilters) and query.search:
            conditions.append(or_(*(column.icontains(query.search, autoescape=True) for column in self.searchable)))
        return conditions

    def _condition(self, name: str, operator: Operator, value: Any) -> ColumnElement[bool]:
        if operator == "own":
            condition: ColumnElement[bool] = getattr(self, f"filter_{name}")(value)
        else:
            condition = COMPARISONS[operator](getattr(self.model, name.partition("__")[0]), value)
        return condition

    def _order(self, query: Filters) -> Sequence[ColumnElement[Any]]:
        return self._keyset(query).order

    def _keyset(self, query: Filters) -> Keyset:
        chosen = next(column for column in self.sortable if column.key == query.sort_by)
        return Keyset(chosen, self.model.id, query.sort_order == "asc")


COMPARISONS: Mapping[Operator, Callable[[InstrumentedAttribute[Any], Any], ColumnElement[bool]]] = {
    "eq": compare.eq,
    "gt": compare.gt,
    "ge": compare.ge,
    "lt": compare.lt,
    "le": compare.le,
    "in": lambda column, values: column.in_(values),
    "null": lambda column, is_null: column.is_(None) if is_null else column.is_not(None),
}

# The members that decide how a statement is built, and those that a subclass declares as plain values.
_RULES = ("scope", "_live", "loader_options", "_select", "_page", "_total", "_matches", "_order", "_keyset", "_shared")
_DECLARED = ("model", "sortable", "searchable")
