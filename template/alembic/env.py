"""Runs the migrations, on the database of the settings or on a connection that the caller brings."""

import asyncio
import logging

from alembic import context
from sqlalchemy import Connection

from app.core.config import get_settings
from app.core.database import create_migration_engine, migration_connection
from app.migrations.options import OPTIONS


def run(connection: Connection) -> None:
    # SQLite changes a table by creating it again.
    batch = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        render_as_batch=batch,
        # A migration that works outside of a transaction is recorded before the next one runs.
        transaction_per_migration=True,
        **OPTIONS,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_new_connection() -> None:
    async with migration_connection(get_settings()) as connection:
        await connection.run_sync(run)


if context.config.cmd_opts is not None or context.config.attributes.get("say"):  # run by hand: say which migrations run
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)

if context.is_offline_mode():
    dialect = create_migration_engine(get_settings()).dialect.name
    context.configure(dialect_name=dialect, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_on_new_connection())
