"""Every write raises the version of a record by one, however it is sent, and nothing else does."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import inspect, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.domain.models.base import Base, Versioned, utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User
from app.domain.schemas.user import UserListQuery
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from tests.factories.user_factory import create_user


class Aside(DeclarativeBase):
    """The base of tables that only these tests have, without a migration."""


class Page(Versioned, Aside):
    """A model whose own arguments replace all others."""

    __tablename__ = "pages"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "page"}  # noqa: RUF012 (read by SQLAlchemy)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str]


@pytest.fixture
async def user(session: AsyncSession) -> User:
    user = await create_user(session)
    assert user.version == 1
    return user


async def stored(session: AsyncSession, record: User | RefreshToken | Page) -> int | None:
    """Returns the version in the database."""
    model = type(record)
    return await session.scalar(select(model.version).where(model.id == record.id))


async def by_repository(session: AsyncSession, user: User) -> None:
    await UserRepository(session).update(user.id, password_hash="other", is_active=False)


async def by_deletion(session: AsyncSession, user: User) -> None:
    await UserRepository(session).delete(user.id)


async def by_flush(session: AsyncSession, user: User) -> None:
    user.password_hash = "other"
    await session.flush()


async def by_statement(session: AsyncSession, user: User) -> None:
    await session.execute(update(User).where(User.id == user.id).values(password_hash="other"))


async def by_statement_on_several_tables(session: AsyncSession, user: User) -> None:
    await add_token(session, user)
    of_sessions = update(User).where(User.id == RefreshToken.user_id, RefreshToken.session_id == user.id)
    await session.execute(of_sessions.values(password_hash="other"))


async def by_primary_key(session: AsyncSession, user: User) -> None:
    await session.execute(update(User), [{"id": user.id, "password_hash": "other"}])


async def by_core(session: AsyncSession, user: User) -> None:
    table = Base.metadata.tables["users"]
    connection = await session.connection()
    await connection.execute(update(table).where(table.c.id == user.id).values(password_hash="other"))


WRITES = [
    by_repository,
    by_deletion,
    by_flush,
    by_statement,
    by_statement_on_several_tables,
    by_primary_key,
    by_core,
]


async def add_token(session: AsyncSession, user: User) -> RefreshToken:
    """Adds a token to a session that has the user's ID."""
    values: dict[str, Any] = {"session_id": user.id, "user_id": user.id, "expires_at": utc_now().replace(year=9999)}
    await RefreshTokenRepository(session).add(token_hash=str(uuid7()), **values)
    return (await session.scalars(select(RefreshToken).where(RefreshToken.user_id == user.id))).one()


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_raises_it_by_one(
    session: AsyncSession, user: User, write: Callable[[AsyncSession, User], Awaitable[None]]
) -> None:
    await write(session, user)
    assert await stored(session, user) == 2


async def test_each_of_several_writes_raises_it(session: AsyncSession, user: User) -> None:
    others = [await create_user(session) for _ in range(2)]

    for number in range(3):
        for each in (user, *others):
            each.password_hash = f"other {number}"
        await session.flush()

    assert [each.version for each in (user, *others)] == [4, 4, 4]
    assert await stored(session, user) == 4


async def test_a_token_is_raised_as_well(session: AsyncSession, user: User) -> None:
    token = await add_token(session, user)

    await RefreshTokenRepository(session).use(token.token_hash)
    assert await stored(session, token) == 2

    await RefreshTokenRepository(session).revoke_all(user.id)
    assert await stored(session, token) == 3


async def test_reading_does_not_raise_it(session: AsyncSession, user: User, users: UserRepository) -> None:
    await users.get(user.id)
    await users.list(UserListQuery())
    await users.lock(user.id)
    await session.refresh(user)
    await session.commit()

    assert await stored(session, user) == 1


async def test_a_change_of_nothing_does_not_raise_it(session: AsyncSession, user: User, users: UserRepository) -> None:
    await users.update(user.id)
    await users.update(user.id, password_hash=user.password_hash)
    user.email = str(user.email)
    await session.flush()

    assert await stored(session, user) == 1


@pytest.mark.parametrize("write", [by_repository, by_deletion, by_flush])
async def test_it_comes_with_the_write_and_is_not_read_after_it(
    session: AsyncSession, user: User, statements: list[str], write: Callable[[AsyncSession, User], Awaitable[None]]
) -> None:
    await write(session, user)

    assert statements[-1].startswith("UPDATE")
    assert "version" not in inspect(user).unloaded
    assert user.version == 2


async def test_it_comes_to_a_model_with_arguments_of_its_own(session: AsyncSession, statements: list[str]) -> None:
    await (await session.connection()).run_sync(Aside.metadata.create_all)
    page = Page(title="Emma")
    session.add(page)
    await session.flush()
    assert page.version == 1

    page.title = "Persuasion"
    await session.flush()

    assert statements[-1].startswith("UPDATE")
    assert page.version == 2
