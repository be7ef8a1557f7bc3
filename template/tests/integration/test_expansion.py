"""The records of references are added to responses, by one statement each, as far as the caller may read them."""

from types import SimpleNamespace
from typing import Literal, Self
from uuid import UUID

import pytest
from pydantic import MISSING, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.api.expansion import Expansion, References
from app.domain.models.base import utc_now
from app.domain.models.user import Role, User
from app.domain.schemas.base import ResponseModel
from app.domain.schemas.common import Expand, Expanded
from app.domain.schemas.user import UserSummary
from app.repository.base import Repository
from app.repository.readers import Readers
from app.repository.user_repository import UserRepository
from tests.factories.user_factory import NAME, create_user


class Owned(ResponseModel):
    owner_id: UUID | None
    owner: Expanded[UserSummary] = MISSING


class Unread(Repository[User]):
    """A repository without readers."""

    model = User


OWNER: References = {"owner": (UserRepository, UserSummary)}


@pytest.mark.parametrize("number", [1, 100])
async def test_it_takes_one_statement_however_many_there_are(
    session: AsyncSession, statements: list[str], number: int
) -> None:
    users = [await create_user(session) for _ in range(3)]
    responses = [Owned(owner_id=users[each % 3].id) for each in range(number)]
    statements.clear()

    await Expansion(session, None).fill(responses, {"owner"}, OWNER)

    assert [each.owner for each in responses] == [UserSummary.model_validate(users[each % 3]) for each in range(number)]
    assert len(statements) == 1


async def test_what_is_deleted_or_unknown_or_missing_is_null(session: AsyncSession) -> None:
    deleted = await create_user(session, deleted_at=utc_now())
    responses = [Owned(owner_id=owner_id) for owner_id in (deleted.id, uuid7(), None)]

    await Expansion(session, None).fill(responses, {"owner"}, OWNER)

    assert [each.owner for each in responses] == [None, None, None]


async def test_nothing_is_asked_for_where_nothing_is_referred_to(session: AsyncSession, statements: list[str]) -> None:
    await Expansion(session, None).fill([], {"owner"}, OWNER)
    await Expansion(session, None).fill([Owned(owner_id=None)], {"owner"}, OWNER)
    await Expansion(session, None).fill([Owned(owner_id=uuid7())], (), OWNER)

    assert statements == []


async def test_what_nobody_was_allowed_to_read_is_null_for_administrators_too(session: AsyncSession) -> None:
    admin = await create_user(session, role=Role.ADMIN)
    response = Owned(owner_id=admin.id)

    await Expansion(session, admin).fill([response], {"owner"}, {"owner": (Unread, UserSummary)})

    assert response.owner is None


async def test_a_repository_that_needs_more_than_its_session_is_read_by_nobody(session: AsyncSession) -> None:
    class OfTenant(UserRepository):
        readers = Readers.ANYBODY

        def __init__(self, session: AsyncSession, tenant: str = "all") -> None:
            super().__init__(session)
            self.tenant = tenant

    class OfOneTenant(OfTenant):
        @classmethod
        def readable_by(cls, session: AsyncSession, caller: User | None) -> Self:
            return cls(session, "a")

    assert OfTenant.readable_by(session, User(role=Role.ADMIN)) is None
    assert OfOneTenant.readable_by(session, None).tenant == "a"


def test_a_relationship_of_the_same_name_is_not_read() -> None:
    owner = UserSummary.model_validate({"id": uuid7(), NAME: "Ada"})

    response = Owned.model_validate(SimpleNamespace(owner_id=owner.id, owner=owner))

    assert response.model_dump() == {"owner_id": owner.id}
    response.owner = owner
    assert response.model_dump(by_alias=True) == {"owner_id": owner.id, "owner": owner.model_dump()}


def test_a_name_may_be_repeated() -> None:
    names = TypeAdapter[frozenset[str]](Expand[Literal["customer", "owner"]])

    assert names.validate_python(["owner", "owner,customer"]) == {"customer", "owner"}
    assert "uniqueItems" not in names.json_schema()


@pytest.mark.parametrize(
    ("readers", "allowed"),
    [
        (Readers.NOBODY, []),
        (Readers.ADMINISTRATORS, [Role.ADMIN]),
        (Readers.SIGNED_IN, [Role.USER, Role.MODERATOR, Role.ADMIN]),
        (Readers.ANYBODY, [None, Role.USER, Role.MODERATOR, Role.ADMIN]),
    ],
)
def test_who_may_read(readers: Readers, allowed: list[Role | None]) -> None:
    callers = {role: User(role=role) for role in Role} | {None: None}

    assert {role for role, caller in callers.items() if readers.include(caller)} == set(allowed)
