"""Lists continue after a record on every database alike, even if records have the same value or none."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import ColumnElement, true
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.domain.models.refresh_token import RefreshToken
from app.domain.schemas.common import ListQuery
from app.repository.base import Repository
from tests.factories.user_factory import create_user

TIMES = [
    None,
    datetime(2026, 1, 1, tzinfo=UTC),
    None,
    datetime(2026, 1, 2, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
]


class Tokens(Repository[RefreshToken]):  # type: ignore[type-var]  # it is no entity: nothing marks one as deleted
    model = RefreshToken
    sortable = (RefreshToken.used_at,)

    @property
    def scope(self) -> ColumnElement[bool]:
        return true()


class TokenQuery(ListQuery):
    sort_by: str = "used_at"


@pytest.fixture
async def tokens(session: AsyncSession) -> Tokens:
    user = await create_user(session)
    for used_at in TIMES:
        session.add(
            RefreshToken(
                session_id=uuid7(),
                user_id=user.id,
                token_hash=str(uuid7()),
                expires_at=datetime(2027, 1, 1, tzinfo=UTC),
                used_at=used_at,
            )
        )
        await session.flush()
    return Tokens(session)


def bound(**values: object) -> TokenQuery:
    query = TokenQuery.model_validate(values)
    query.after.bind([b"key"], "tokens")
    return query


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_pages_by_cursor_are_the_list_and_nulls_are_the_largest(
    tokens: Tokens, sort_order: str, limit: int
) -> None:
    found: list[RefreshToken] = []
    following: str | None = ""
    for _ in range(6):
        query = {"sort_order": sort_order, "limit": limit} | ({"after": following} if following else {})
        page = await tokens.list(bound(**query))
        found += page.items
        following = page.next
        if following is None:
            break

    expected = sorted((time is None, str(time)) for time in TIMES)
    assert [(token.used_at is None, str(token.used_at)) for token in found] == (
        expected if sort_order == "asc" else expected[::-1]
    )
    assert found == list((await tokens.list(bound(sort_order=sort_order))).items)
    assert len({token.id for token in found}) == len(TIMES)


async def test_a_list_with_an_order_of_its_own_has_no_cursors(tokens: Tokens) -> None:
    class ByExpiry(Tokens):
        def _order(self, query: object) -> list[ColumnElement[datetime]]:
            return [RefreshToken.expires_at.asc()]

    assert (await tokens.list(bound(limit=1))).next is not None
    assert (await ByExpiry(tokens.session).list(bound(limit=1))).next is None
