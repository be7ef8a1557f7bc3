"""The two kinds of session: that of what reads, and that of what writes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Row, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

_AFTER_COMMIT = "after_commit"


class ReadSession(AsyncSession):
    """Has no transaction: each statement stands alone."""

    async def rows(self, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """What the statement finds, column by column. A connection is taken for as long as that takes."""
        return await self.run_sync(_rows, statement, values)

    async def __aexit__(self, *error: Any) -> None:
        """There is something to give back only where the ORM was asked."""
        if self.in_transaction():
            await super().__aexit__(*error)


def _rows(session: Session, statement: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    with engine.connect() as connection:
        return connection.execute(statement, values).all()


class WriteSession(AsyncSession):
    """One transaction: committed at the end of its block, rolled back on any error.

    What was left for the time after the commit is done before anybody is answered.
    """

    async def __aexit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                await self.commit()
        finally:
            if self.in_transaction():
                await super().__aexit__(kind, *error)

    async def commit(self) -> None:
        await super().commit()
        for work in self.info.pop(_AFTER_COMMIT, ()):
            await work()

    async def rollback(self) -> None:
        self.info.pop(_AFTER_COMMIT, None)
        await super().rollback()


def after_commit(session: AsyncSession, work: Callable[[], Awaitable[None]]) -> None:
    """Has the work done once the session is committed, and never when it is rolled back.

    The work is bounded in time and raises nothing: what is committed is answered as a success.
    """
    session.info.setdefault(_AFTER_COMMIT, []).append(work)
