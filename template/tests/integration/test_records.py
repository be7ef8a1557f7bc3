"""Records that are made from rows are what the ORM would have made of them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, validates

from app.core.database import Database
from app.domain.models.base import Base
from app.domain.models.user import Role, User
from app.repository import records
from app.repository.user_repository import UserRepository
from tests.factories.user_factory import create_user


def columns(record: Base) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if not key.startswith("_")}


async def test_what_is_read_is_what_the_orm_reads(database: Database, session: AsyncSession) -> None:
    user = await create_user(session, role=Role.MODERATOR)
    await session.flush()
    loaded = await session.scalar(sa.select(User), execution_options={"populate_existing": True})
    assert loaded is not None

    async with database.reading() as reading:
        read = await UserRepository(reading).get(user.id)

    assert read is not None
    assert columns(read) == columns(loaded)
    assert inspect(read).detached
    assert not inspect(read).modified


async def test_what_is_created_is_kept_track_of(session: AsyncSession) -> None:
    user = await create_user(session)
    assert inspect(user).persistent

    user.full_name = "Another Name"
    await session.flush()
    session.expunge_all()

    assert await session.scalar(sa.select(User.full_name).where(User.id == user.id)) == "Another Name"


class Aside(DeclarativeBase):
    """Of no concern to migrations."""


class Loud(Aside):
    """Has something that is no column of its table."""

    __tablename__ = "loud"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column()
    shouted: Mapped[str] = column_property(sa.func.upper(name))


class Quiet(Aside):
    """Has a rule of the ORM's and a column that is not loaded at once."""

    __tablename__ = "quiet"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    essay: Mapped[str] = mapped_column(deferred=True)

    @validates("name")
    def _whisper(self, _: str, name: str) -> str:
        return name.lower()


async def test_what_is_no_column_is_loaded_by_the_orm(database: Database, session: AsyncSession) -> None:
    connection = await session.connection()
    await connection.run_sync(Aside.metadata.create_all)

    created = await records.create(session, Loud, {"id": 1, "name": "ada"})
    assert created.name == "ada"
    await session.commit()

    async with database.reading() as reading:
        [[read]] = await records.read(reading, Loud, sa.select(Loud), {})
        assert read.shouted == "ADA"


async def test_what_the_orm_has_rules_for_is_made_by_it(database: Database, session: AsyncSession) -> None:
    connection = await session.connection()
    await connection.run_sync(Aside.metadata.create_all)

    created = await records.create(session, Quiet, {"id": 1, "name": "ADA", "essay": "..."})
    assert created.name == "ada"
    await session.commit()

    async with database.reading() as reading:
        [[read]] = await records.read(reading, Quiet, sa.select(Quiet), {})
        assert read.name == "ada"
