"""Lists of references and links in repositories, with tables that only these tests have."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import MISSING
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from uuid_utils.compat import uuid7

from app.core.exceptions import ConflictError, found
from app.domain.models.base import Base, utc_now
from app.domain.models.user import Role
from app.domain.schemas.common import LinkSummary, ListQuery
from app.domain.schemas.filters import Is
from app.repository.base import Repository
from app.repository.links import LinkRepository
from app.repository.readers import Readers
from app.repository.related import Related, RelatedRepository
from tests.factories.user_factory import create_user


class Aside(DeclarativeBase):
    type_annotation_map = Base.type_annotation_map


HEARD = sa.Table(
    "heard",
    Aside.metadata,
    sa.Column("talk_id", sa.ForeignKey("talks.id"), primary_key=True),
    sa.Column("topic_id", sa.ForeignKey("topics.id"), primary_key=True),
)


class Topic(Aside):
    __tablename__ = "topics"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    deleted_at: Mapped[datetime | None]


class Talk(Aside):
    __tablename__ = "talks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    topics: Mapped[list[Topic]] = relationship(secondary=HEARD, lazy="raise", order_by=Topic.id)


class Praise(Aside):
    __tablename__ = "praises"

    talk_id: Mapped[UUID] = mapped_column(sa.ForeignKey(Talk.id), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)


class Topics(Repository[Any]):
    model = Topic
    readers = Readers.SIGNED_IN


class Talks(RelatedRepository[Any]):
    model = Talk
    sortable = (Talk.id,)
    related = (Related("topic_ids", Talk.topics, Topics),)
    readers = Readers.ANYBODY


class Praises(LinkRepository[Any]):
    model = Praise
    target = "talk_id"


class TalkQuery(ListQuery):
    topic_id: Is[UUID] = MISSING


def about(topic: Topic) -> TalkQuery:
    return TalkQuery(sort_by="id", topic_id=topic.id)


@pytest.fixture
async def talks(session: AsyncSession) -> Talks:
    await (await session.connection()).run_sync(Aside.metadata.create_all)
    return Talks(session)


async def topic_ids(talks: Talks, talk_id: UUID) -> list[UUID]:
    """Reads the list anew, since a session loads it only once."""
    talks.session.expunge_all()
    talk = await talks.get(talk_id)
    return [topic.id for topic in found(talk).topics]


async def test_a_list_is_stored_and_changed(talks: Talks) -> None:
    first, second = [await Topics(talks.session).create() for _ in range(2)]

    talk = await talks.create(topic_ids=[second.id, first.id])
    assert await topic_ids(talks, talk.id) == [first.id, second.id]
    assert talk.updated_at is None

    changed = await talks.update(talk.id, topic_ids=[second.id])
    assert found(changed).updated_at is not None
    assert await topic_ids(talks, talk.id) == [second.id]
    await talks.update(talk.id, topic_ids=[])
    assert await topic_ids(talks, talk.id) == []


async def test_a_record_has_empty_lists_unless_some_are_given(talks: Talks) -> None:
    assert await topic_ids(talks, (await talks.create()).id) == []


async def test_an_unknown_and_a_deleted_record_cannot_be_listed(talks: Talks) -> None:
    topic = await Topics(talks.session).create()
    await Topics(talks.session).delete(topic.id)

    for topic_id in (topic.id, uuid7()):
        with pytest.raises(ConflictError):
            await talks.create(topic_ids=[topic_id])


async def test_what_a_list_contains_finds_its_record_until_it_is_deleted(talks: Talks) -> None:
    topic, other = [await Topics(talks.session).create() for _ in range(2)]
    talk = await talks.create(topic_ids=[topic.id])

    assert (await talks.list(about(topic))).items == [talk]
    assert (await talks.list(about(other))).total == 0
    await Topics(talks.session).delete(topic.id)
    assert (await talks.list(about(topic))).total == 0
    assert await topic_ids(talks, talk.id) == []


async def test_a_caller_neither_sees_nor_changes_what_they_may_not_read(talks: Talks) -> None:
    topic = await Topics(talks.session).create()
    talk = await talks.create(topic_ids=[topic.id])
    user = await create_user(talks.session, role=Role.USER)
    hidden, shown = (Talks.readable_by(talks.session, caller) for caller in (None, user))
    assert hidden is not None
    assert shown is not None

    assert await topic_ids(shown, talk.id) == [topic.id]
    assert await topic_ids(hidden, talk.id) == []
    assert ((await shown.list(about(topic))).total, (await hidden.list(about(topic))).total) == (1, 0)
    with pytest.raises(ConflictError):
        await hidden.update(talk.id, topic_ids=[topic.id])
    await hidden.update(talk.id, topic_ids=[])
    assert await topic_ids(shown, talk.id) == [topic.id]


@pytest.mark.parametrize("count", [1, 100])
async def test_a_list_takes_one_statement_however_many_records_are_read(
    talks: Talks, statements: list[str], count: int
) -> None:
    topic = await Topics(talks.session).create()
    for _ in range(count):
        await talks.create(topic_ids=[topic.id])
    talks.session.expunge_all()
    statements.clear()

    page = await talks.list(TalkQuery(sort_by="id", limit=100, count=False))

    assert [len(talk.topics) for talk in page.items] == [1] * count
    assert len(statements) == 2


async def test_a_link_exists_at_most_once_and_counts_while_its_user_does(talks: Talks, session: AsyncSession) -> None:
    talk, (user, other) = await talks.create(), [await create_user(session) for _ in range(2)]
    praises = Praises(session)
    for user_id in (user.id, user.id, other.id):
        await praises.add(user_id, talk.id)
    with pytest.raises(IntegrityError):
        await praises.add(user.id, uuid7())

    assert await praises.count([talk.id], user) == {talk.id: LinkSummary(count=2, is_mine=True)}
    other.deleted_at = utc_now()
    await session.flush()
    assert await praises.count([talk.id], None) == {talk.id: LinkSummary(count=1, is_mine=False)}
    await praises.remove(user.id, talk.id)
    await praises.remove(user.id, talk.id)
    assert await praises.count([talk.id], user) == {talk.id: LinkSummary(count=0, is_mine=False)}
