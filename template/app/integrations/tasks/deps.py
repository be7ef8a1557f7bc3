"""The Taskiq dependencies that tasks use."""

from collections.abc import AsyncGenerator
from typing import Annotated

from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import Context, TaskiqDepends

from app.core.database import Database


async def get_session(context: Annotated[Context, TaskiqDepends()]) -> AsyncGenerator[AsyncSession]:
    """Yields a session whose transaction commits when the task has succeeded, before its message is acknowledged.

    Any error rolls it back.
    """
    database: Database = context.state.providers.database
    async with database.transaction() as session:
        yield session
