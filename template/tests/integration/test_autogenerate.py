"""`make migrate-create` and `alembic check` find the changes of the models, and ignore everything else."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Connection, Integer, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.models.base import Base, choice
from app.migrations.options import OPTIONS
from tests.integration.test_migrations import connected, differences


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class MoreSizes(StrEnum):
    SMALL = "small"
    LARGE = "large"
    ENORMOUS = "larger than anybody thought"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Yields a connection to a migrated database, whose changes are rolled back."""
    async with connected(database_url) as connection:
        yield connection


def shirts(*parts: Column[int] | CheckConstraint, size: type[StrEnum] | None = Size) -> MetaData:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    sizes: list[Column[Any]] = [Column("size", choice(size, "size"))] if size else []
    Table("shirts", metadata, Column("id", Integer, primary_key=True), *sizes, *parts)
    return metadata


def changes(connection: Connection, before: MetaData, after: MetaData) -> list[str]:
    before.create_all(connection)

    def only_shirts(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or name == "shirts"

    options = OPTIONS | {"target_metadata": after, "include_name": only_shirts}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), after)
    return sorted(change[0] if isinstance(change, tuple) else change[0][0] for change in found)


POSITIVE = CheckConstraint("price > 0 AND price < 100", name="price")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (shirts(), []),
        (shirts(size=MoreSizes), ["add_constraint", "modify_type", "remove_constraint"]),
        (shirts(size=None), ["remove_column", "remove_constraint"]),
        (shirts(Column("price", Integer), POSITIVE), ["add_column", "add_constraint"]),
    ],
    ids=["nothing", "another value", "no such column", "another rule"],
)
async def test_it_sees_what_changed_in_a_choice(
    connection: AsyncConnection, after: MetaData, expected: list[str]
) -> None:
    assert await connection.run_sync(changes, shirts(), after) == expected


async def test_a_rule_is_compared_by_its_meaning_and_not_by_its_name(connection: AsyncConnection) -> None:
    before = shirts(CheckConstraint("id > 0 AND size <> 'x'", name="rule"))
    after = shirts(CheckConstraint("id > 1 AND size <> 'x'", name="rule"))

    assert await connection.run_sync(changes, before, before) == []
    assert await connection.run_sync(changes, before, after) == ["add_constraint", "remove_constraint"]


async def test_a_rule_that_the_database_cannot_have_yet_is_compared_by_its_name(connection: AsyncConnection) -> None:
    after = shirts(CheckConstraint("a_function_of_this_migration(id)", name="rule"))

    assert await connection.run_sync(changes, shirts(), after) == ["add_constraint"]


async def test_it_leaves_the_tables_of_others_alone(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE spatial_ref_sys (srid INTEGER PRIMARY KEY)"))

    assert await connection.run_sync(differences) == []


async def test_it_sees_that_a_model_is_gone(connection: AsyncConnection) -> None:
    def without_models(connection: Connection) -> set[str]:
        options = OPTIONS | {"target_metadata": MetaData()}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), MetaData())
        return {change[1].name for change in found if change[0] == "remove_table"}

    await connection.execute(text("CREATE TABLE spatial_ref_sys (srid INTEGER PRIMARY KEY)"))

    assert await connection.run_sync(without_models) == set(Base.metadata.tables)


async def test_the_index_of_a_search_is_left_alone(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE INDEX ix_users_search ON users (email)"))

    assert await connection.run_sync(differences) == []
