"""Events, relationships, options and validators work in a repository as SQLAlchemy documents them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
    selectinload,
    validates,
)
from sqlalchemy.orm.interfaces import ORMOption
from uuid_utils.compat import uuid7

from app.core.database import Database
from app.domain.schemas.common import ListQuery
from app.repository.base import Repository


class Aside(DeclarativeBase):
    """The base of tables that only these tests have, without a migration."""


class Shelf(Aside):
    __tablename__ = "shelves"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    deleted_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    name: Mapped[str] = mapped_column()
    shouted: Mapped[str] = column_property(sa.func.upper(name))


class Book(Aside):
    __tablename__ = "books"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "book"}  # noqa: RUF012 (read by SQLAlchemy)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    deleted_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    kind: Mapped[str]
    title: Mapped[str]
    pages: Mapped[int] = mapped_column(server_default=sa.text("1"))
    essay: Mapped[str | None] = mapped_column(deferred=True)
    shelf_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Shelf.id))
    shelf: Mapped[Shelf | None] = relationship(backref="books")

    @validates("title")
    def _trim(self, _: str, title: str) -> str:
        return title.strip()


class Comic(Book):
    __mapper_args__ = {"polymorphic_identity": "comic"}  # noqa: RUF012 (read by SQLAlchemy)

    artist: Mapped[str | None]


class Books(Repository[Any]):
    model = Book
    sortable = (Book.title,)

    def _select(self, record_id: Any) -> sa.Select[Any]:
        return super()._select(record_id).options(selectinload(Book.shelf))


class ShelvedBooks(Repository[Any]):
    model = Book
    sortable = (Book.title,)

    # It changes between requests, and is no attribute of the instance.
    is_shelf_shown = True

    @property
    def loader_options(self) -> Sequence[ORMOption]:
        return [selectinload(Book.shelf)] if self.is_shelf_shown else []


class Shelves(Repository[Any]):
    model = Shelf
    sortable = (Shelf.name,)


BY_TITLE = ListQuery(sort_by="title")


@pytest.fixture
async def books(session: AsyncSession) -> Books:
    await (await session.connection()).run_sync(Aside.metadata.create_all)
    return Books(session)


@contextmanager
def listening(target: Any, *names: str) -> Iterator[list[str]]:
    """Yields a list that collects the names of the raised events, in order."""
    raised: list[str] = []

    def listener(name: str) -> Any:
        return lambda *_, **__: raised.append(name)

    listeners = [(name, listener(name)) for name in names]
    for name, listen in listeners:
        event.listen(target, name, listen)
    yield raised
    for name, listen in listeners:
        event.remove(target, name, listen)


async def test_a_new_record_raises_the_events_of_its_model_and_its_session(books: Books) -> None:
    with (
        listening(Book, "init", "before_insert", "after_insert") as of_model,
        listening(books.session.sync_session, "before_flush", "pending_to_persistent") as of_session,
    ):
        await books.create(title="Emma")

    assert of_model == ["init", "before_insert", "after_insert"]
    assert of_session == ["before_flush", "pending_to_persistent"]


async def test_a_change_and_a_deletion_raise_the_events_of_an_update(books: Books) -> None:
    book = await books.create(title="Emma")

    with listening(Book, "before_update", "after_update") as raised:
        await books.update(book.id, title="Persuasion")
        await books.delete(book.id)

    assert raised == ["before_update", "after_update"] * 2


async def test_a_record_that_is_read_is_loaded_into_the_session(books: Books, database: Database) -> None:
    book = await books.create(title="Emma")
    await books.session.commit()

    async with database.reading() as reading:
        with (
            listening(Book, "load") as of_model,
            listening(reading.sync_session, "do_orm_execute", "loaded_as_persistent") as of_session,
        ):
            read = await Books(reading).get(book.id)
            listed = await Books(reading).list(BY_TITLE)

        assert of_model == ["load"]
        assert of_session.count("loaded_as_persistent") == 1
        assert of_session.count("do_orm_execute") == 2
        assert listed.items == [read]
        assert inspect(read).persistent


async def test_relationships_options_and_expressions_are_loaded(books: Books, database: Database) -> None:
    shelf = await Shelves(books.session).create(name="novels")
    book = await books.create(title="Emma", shelf=shelf)
    await books.session.commit()

    async with database.reading() as reading:
        read = await Books(reading).get(book.id)
        assert read is not None
        assert (read.shelf.name, read.shelf.shouted) == ("novels", "NOVELS")
        await reading.refresh(read.shelf, ["books"])
        assert read.shelf.books == [read]


async def got(books: Repository[Any], book_id: UUID) -> Sequence[Any]:
    return [await books.get(book_id)]


async def got_with_others(books: Repository[Any], book_id: UUID) -> Sequence[Any]:
    return await books.get_many([book_id])


async def listed(books: Repository[Any], _: UUID) -> Sequence[Any]:
    return (await books.list(BY_TITLE)).items


@pytest.mark.parametrize("read", [got, got_with_others, listed])
async def test_loader_options_are_those_of_each_request(
    books: Books,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[Repository[Any], UUID], Awaitable[Sequence[Any]]],
) -> None:
    shelf = await Shelves(books.session).create(name="novels")
    book = await books.create(title="Emma", shelf=shelf)
    await books.session.commit()

    for is_shown in (True, False, True):
        monkeypatch.setattr(ShelvedBooks, "is_shelf_shown", is_shown)
        async with database.reading() as reading:
            (found,) = await read(ShelvedBooks(reading), book.id)
            assert ("shelf" not in inspect(found).unloaded) is is_shown


async def test_a_validator_runs_at_each_write(books: Books) -> None:
    book = await books.create(title=" Emma ")
    assert book.title == "Emma"

    await books.update(book.id, title=" Persuasion ")
    assert book.title == "Persuasion"


async def test_a_default_of_the_server_can_be_read_at_once(books: Books) -> None:
    assert (await books.create(title="Emma")).pages == 1


async def test_a_deferred_column_is_not_loaded(books: Books, database: Database) -> None:
    book = await books.create(title="Emma", essay="long")
    await books.session.commit()

    async with database.reading() as reading:
        assert "essay" in inspect(await Books(reading).get(book.id)).unloaded


async def test_a_record_of_a_subclass_is_an_instance_of_it(books: Books, database: Database) -> None:
    books.session.add(Comic(title="Maus", artist="Art Spiegelman"))
    await books.session.commit()

    async with database.reading() as reading:
        [comic] = (await Books(reading).list(BY_TITLE)).items
        assert isinstance(comic, Comic)


async def test_a_record_is_one_object_in_a_session(books: Books) -> None:
    book = await books.create(title="Emma")
    changed = await books.update(book.id, pages=2)

    assert changed is book
    assert (await books.list(BY_TITLE)).items == [book]
