"""One property limits the records that a repository may see, in every read and write, for each instance separately."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.user import Role, User
from app.domain.schemas.user import UserListQuery
from app.repository.user_repository import UserRepository
from tests.factories.user_factory import NAME, create_user

TENANT: ContextVar[str] = ContextVar("tenant")

# Each of these tenants has one user.
A, B = "a@test.example", "b@test.example"


class TenantUsers(UserRepository):
    """The users of one tenant, which is an attribute of the instance."""

    def __init__(self, session: AsyncSession, tenant: str) -> None:
        super().__init__(session)
        self.tenant = tenant

    @property
    def rule(self) -> ColumnElement[bool]:
        return User.email == self.tenant


class ByScope(TenantUsers):
    @property
    def scope(self) -> ColumnElement[bool]:
        return super().scope & self.rule


class ByNameOfBefore(TenantUsers):
    """The same rule in the property that projects of 0.3.0 override."""

    @property
    def _live(self) -> ColumnElement[bool]:
        return super()._live & self.rule


class ByValueOfTheRequest(UserRepository):
    """The same rule by a value outside of the instance, which has no attribute but its session."""

    def __init__(self, session: AsyncSession, tenant: str) -> None:
        super().__init__(session)
        TENANT.set(tenant)

    @property
    def scope(self) -> ColumnElement[bool]:
        return super().scope & (User.email == TENANT.get())


class ByMethod(TenantUsers):
    """The same rule by overriding each method that builds a statement."""

    def _select(self, record_id: Any) -> Any:
        return super()._select(record_id).where(self.rule)

    def _page(self, query: Any, matches: Any = ()) -> Any:
        return super()._page(query, (*matches, self.rule))


class ByMatches(TenantUsers):
    def _matches(self, query: Any) -> Any:
        return (*super()._matches(query), self.rule)


Kind = Callable[[AsyncSession, str], UserRepository]

SCOPED: list[Kind] = [ByScope, ByNameOfBefore, ByValueOfTheRequest]


@pytest.fixture
async def a(session: AsyncSession) -> User:
    return await create_user(session, email=A, role=Role.ADMIN)


@pytest.fixture
async def b(session: AsyncSession) -> User:
    return await create_user(session, email=B, role=Role.ADMIN)


@pytest.mark.parametrize("kind", [*SCOPED, ByMethod, ByMatches])
@pytest.mark.parametrize("count", [True, False])
@pytest.mark.parametrize("search", [None, "test"])
async def test_each_instance_lists_its_own(
    session: AsyncSession, a: User, b: User, kind: Kind, search: str | None, *, count: bool
) -> None:
    query = UserListQuery(search=search, count=count)

    for user in (a, b):
        found = await kind(session, user.email).list(query)
        assert (found.items, found.total) == ([user], 1 if count else None)


@pytest.mark.parametrize("kind", SCOPED)
async def test_each_instance_counts_its_own_past_the_end(session: AsyncSession, a: User, b: User, kind: Kind) -> None:
    for user in (a, b):
        assert (await kind(session, user.email).list(UserListQuery(page=2))).total == 1


@pytest.mark.parametrize("kind", [*SCOPED, ByMethod])
async def test_each_instance_reads_its_own(session: AsyncSession, a: User, b: User, kind: Kind) -> None:
    for user, other in ((a, b), (b, a)):
        assert await kind(session, user.email).get(user.id) is user
        assert await kind(session, user.email).get(other.id) is None


@pytest.mark.parametrize("kind", SCOPED)
async def test_the_statements_of_users_obey_it_too(session: AsyncSession, a: User, b: User, kind: Kind) -> None:
    users = kind(session, A)

    assert (await users.get_by_email(a.email), await users.get_by_email(b.email)) == (a, None)
    assert (await users.lock(a.id), await users.lock(b.id)) == (a, None)
    assert await users.lock_admins() == [a.id]


@pytest.mark.parametrize("kind", [*SCOPED, ByMethod])
async def test_each_instance_writes_its_own(session: AsyncSession, a: User, b: User, kind: Kind) -> None:
    users = kind(session, A)

    assert await users.update(b.id, email="taken@example.com") is None
    assert await users.delete(b.id) is False
    assert await users.delete(a.id) is True
    assert await kind(session, B).get(b.id) is b


async def test_columns_of_one_instance_are_not_those_of_another(session: AsyncSession) -> None:
    first = await create_user(session, email="z@example.com", **{NAME: "A"})
    last = await create_user(session, email="a@example.com", **{NAME: "B"})
    by_name, by_email = UserRepository(session), UserRepository(session)
    by_email.sortable = (User.email.label(NAME),)  # type: ignore[misc, assignment]  # what no class should do
    query = UserListQuery.model_validate({"sort_by": NAME, "sort_order": "asc"})

    assert (await by_name.list(query)).items == [first, last]
    assert (await by_email.list(query)).items == [last, first]
