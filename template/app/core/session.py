"""The kinds of database session: those that only read, and one that is a transaction that writes."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.read_only import ReadOnlySessionError

_AFTER_COMMIT = "after_commit"


class ReadOnlySession(Session):
    """The synchronous session inside the sessions that only read. SQLAlchemy fires its events for this one."""


@event.listens_for(ReadOnlySession, "before_flush")
def _refuse_flush(*_: object) -> None:
    raise ReadOnlySessionError


class ReadSession(AsyncSession):
    """A session in autocommit mode, which saves BEGIN and ROLLBACK.

    It raises ReadOnlySessionError when it is asked to write, at the latest at the end of its block.
    """

    sync_session_class = ReadOnlySession

    async def __aexit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                self.sync_session.flush()  # does nothing, or is refused
        finally:
            await self.close()  # without a transaction to end, there is no need for the task that SQLAlchemy shields


class SnapshotSession(AsyncSession):
    """One transaction that reads a snapshot as of its first statement. It raises ReadOnlySessionError for a write."""

    sync_session_class = ReadOnlySession


class WriteSession(AsyncSession):
    """One transaction: committed at the end of its block, rolled back on any error.

    Functions that were passed to `after_commit` run before the block ends, so that they are done before the client gets
    a response.
    """

    async def __aexit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            if kind is None:
                await self.commit()
        finally:
            await super().__aexit__(kind, *error)

    async def commit(self) -> None:
        """Commits, and then runs the functions that were passed to `after_commit`."""
        await super().commit()
        for work in self.info.pop(_AFTER_COMMIT, ()):
            await work()

    async def rollback(self) -> None:
        """Rolls back, and forgets the functions that were passed to `after_commit`."""
        self.info.pop(_AFTER_COMMIT, None)
        await super().rollback()


def after_commit(session: AsyncSession, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` once the session has committed, and never when it is rolled back.

    `work` must be bounded in time and must not raise: the client is told that what was committed succeeded.
    """
    session.info.setdefault(_AFTER_COMMIT, []).append(work)
