"""The session of what writes."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

_AFTER_COMMIT = "after_commit"


class WriteSession(AsyncSession):
    """Does what was left for the time after its commit, before anybody is answered."""

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
