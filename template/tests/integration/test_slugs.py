"""A repository finds records by their slugs, and generates slugs that no two live records share."""

from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped

from app.domain.models.base import Slugged, live_index
from app.repository.slugs import LENGTH, SluggedRepository, slug_of


class Essay(Slugged):
    """A table that only these tests have, without a migration."""

    __tablename__ = "essays"
    __table_args__ = (live_index("uq_essays_slug", "slug", unique=True),)
    metadata = MetaData()

    title: Mapped[str]


class Essays(SluggedRepository[Essay]):
    model = Essay
    slug_source = "title"
    sortable = (Essay.created_at,)


@pytest.fixture
async def essays(session: AsyncSession) -> Essays:
    await (await session.connection()).run_sync(Essay.metadata.create_all)
    return Essays(session)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("How to train your dragon", "how-to-train-your-dragon"),
        ("  Crème brûlée: 3 ways! ", "creme-brulee-3-ways"),
        ("a/b?c#d%2F..\\e", "a-b-c-d-2f-e"),
        ("snake_case", "snake-case"),
        ("\u65e5\u672c \u8a9e", "\u65e5\u672c-\u8a9e"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "\u043f\u0440\u0438\u0432\u0435\u0442"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940!", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("?!", ""),
        ("x" * 100, "x" * LENGTH),
        ("x" * (LENGTH - 1) + " y", "x" * (LENGTH - 1)),
    ],
)
def test_it_is_made_of_words(text: str, slug: str) -> None:
    assert slug_of(text) == slug


async def test_a_record_is_found_by_it(essays: Essays) -> None:
    essay = await essays.create(title="On Bees")

    assert essay.slug == "on-bees"
    assert await essays.get_by_slug("on-bees") is essay
    assert await essays.get_by_slug("on-bee") is None


async def test_it_stays(essays: Essays) -> None:
    essay = await essays.create(title="On Bees")

    await essays.update(essay.id, title="On Wasps")

    assert essay.slug == "on-bees"


async def test_the_second_of_a_title_gets_another_one_until_the_first_is_deleted(essays: Essays) -> None:
    first, second = [await essays.create(title="On Bees") for _ in range(2)]

    assert second.slug.startswith("on-bees-")
    await essays.delete(first.id)
    assert await essays.get_by_slug("on-bees") is None
    assert (await essays.create(title="On bees")).slug == "on-bees"


@pytest.mark.parametrize(("title", "start"), [("Export", "export-"), ("?!", "")])
async def test_what_no_path_can_have_gets_an_ending(essays: Essays, title: str, start: str) -> None:
    slug = (await essays.create(title=title)).slug

    assert slug.startswith(start)
    assert len(slug) == len(start) + 8


async def test_the_longest_title_fits(essays: Essays) -> None:
    slugs: list[Any] = [(await essays.create(title="x" * 1000)).slug for _ in range(2)]

    assert [len(slug) for slug in slugs] == [LENGTH, LENGTH + 9]
