"""Compares the databases that the migrations of two projects create. It runs in the environment of the project.

The argument is a task in JSON, and so is what it prints.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.types import TypeEngine

Move = Callable[[Config, str], None]


async def main(other: str, start: str, statements: Sequence[str], tables: Sequence[str]) -> dict[str, Any]:
    """Returns the schemas and rows that the migrations leave. The statements write rows at the migration `start`."""
    upgraded, fresh, emptied = [await import_module("tests.database").create(name) for name in ("a", "b", "c")]
    found: dict[str, Any] = {}

    await on(upgraded, migration(command.upgrade, start))
    found["schema before"] = await on(upgraded, schema)
    await on(upgraded, partial(execute, statements))
    found["rows before"] = await on(upgraded, partial(rows, tables))
    for _ in ScriptDirectory.from_config(Config("alembic.ini")).iterate_revisions("head", start):
        await on(upgraded, migration(command.upgrade, "+1"))
    found |= {"rows": await on(upgraded, partial(rows, tables)), "schema": await on(upgraded, schema)}
    found["differences"] = await on(upgraded, differences)

    await on(fresh, migration(command.upgrade, "head", other))
    found["schema of a fresh one"] = await on(fresh, schema)

    await on(emptied, migration(command.upgrade, "head"))
    await on(emptied, migration(command.downgrade, start))
    found["schema after downgrade"] = await on(emptied, schema)
    return found


async def on(url: str, function: Callable[[Connection], Any]) -> Any:
    settings = import_module("app.core.config").Settings(DATABASE_URL=url)
    engine = import_module("app.core.database").create_migration_engine(settings)
    async with engine.begin() as connection:
        result = await connection.run_sync(function)
    await engine.dispose()
    return result


def migration(move: Move, revision: str, project: str = ".") -> Callable[[Connection], None]:
    def migrate(connection: Connection) -> None:
        config = Config(f"{project}/alembic.ini")
        config.attributes["connection"] = connection
        move(config, revision)

    return migrate


def execute(statements: Sequence[str], connection: Connection) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


def rows(tables: Sequence[str], connection: Connection) -> dict[str, list[dict[str, str]]]:
    return {table: list(rows_of(table, connection)) for table in tables}


def rows_of(table: str, connection: Connection) -> Iterator[dict[str, str]]:
    statement = f"SELECT * FROM {table} ORDER BY id"  # noqa: S608 (the test drew the name, and nothing comes from outside)
    for row in connection.exec_driver_sql(statement).mappings():
        yield {name: str(value) for name, value in row.items()}


def differences(connection: Connection) -> list[str]:
    metadata = import_module("app.domain.models.base").Base.metadata
    import_module("app.domain.models")
    return [str(each) for each in compare_metadata(MigrationContext.configure(connection), metadata)]


def schema(connection: Connection) -> dict[str, list[str]]:
    return {table: sorted(described(connection, table)) for table in inspect(connection).get_table_names()}


def described(connection: Connection, table: str) -> Iterator[str]:
    """Yields a description of the table, regardless of the order of columns."""
    inspector = inspect(connection)
    parts = (
        *inspector.get_columns(table),
        *inspector.get_indexes(table),
        *inspector.get_foreign_keys(table),
        *inspector.get_check_constraints(table),
        *inspector.get_unique_constraints(table),
        inspector.get_pk_constraint(table),
    )
    yield from (json.dumps(part, default=text, sort_keys=True) for part in parts)


def text(value: object) -> str:
    """Returns the text of a type, or of the condition of an index."""
    return repr(value) if isinstance(value, TypeEngine) else str(value)


if __name__ == "__main__":
    with ExitStack() as stack:
        os.environ["TEST_DATABASE_URL"] = import_module("tests.database").start(stack)
        sys.stdout.write(json.dumps(asyncio.run(main(**json.loads(sys.argv[1])))))
