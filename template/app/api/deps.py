"""What routers ask for: a session, and the pieces that every resource shares."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database

# RFC 9110, 9.2.1: methods that only read.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


DatabaseDep = Annotated[Database, Depends(get_database)]


async def get_session(request: Request, database: DatabaseDep) -> AsyncIterator[AsyncSession]:
    """The session of this request: a transaction, or none where the method only reads."""
    manager = database.reading() if request.method in SAFE_METHODS else database.transaction()
    async with manager as session:
        yield session


# `function` has the transaction committed before the answer starts; the default scope would do it after.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
