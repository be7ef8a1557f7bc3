"""Erases what sessions have left behind: when and for how long somebody was here is nobody's business afterwards.

Who changes a password, or deletes or deactivates a user, ends sessions and has theirs erased at once. The schedule
erases all, with those that expired and those whose erasure could not be sent.
"""

from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.session import after_commit
from app.repository.ended_session_repository import EndedSessionRepository
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.service.ended_session_service import EndedSessionService
from app.tasks.job import job
from app.tasks.queue import Queue


@job()
async def erase_sessions(session: AsyncSession, user_id: UUID) -> None:
    await EndedSessionService(EndedSessionRepository(session)).erase(user_id)


@job(every=timedelta(hours=1))
async def erase_all_sessions(session: AsyncSession) -> None:
    await EndedSessionService(EndedSessionRepository(session)).erase_all()


class ErasingRefreshTokenRepository(RefreshTokenRepository):
    """Has the sessions erased that it ended, once that is committed."""

    def __init__(self, session: AsyncSession, queue: Queue) -> None:
        super().__init__(session)
        self.queue = queue

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        await super().revoke_all(user_id, but=but)
        after_commit(self.session, partial(self.queue.send, erase_sessions, user_id=user_id))
