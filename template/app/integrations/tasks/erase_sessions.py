"""Erases the data of ended sessions: nobody needs to know later when, and for how long, a user was signed in.

A change of a password, or the deletion or deactivation of a user, ends sessions and erases them at once. The schedule
erases all ended sessions, including those that expired and those whose erasure was given up.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import TaskiqDepends

from app.integrations.tasks.broker import broker
from app.integrations.tasks.deps import get_session
from app.integrations.tasks.ended_session_repository import EndedSessionRepository
from app.integrations.tasks.ended_session_service import EndedSessionService
from app.integrations.tasks.outbox import put_task
from app.repository.refresh_token_repository import RefreshTokenRepository


@broker.task("erase_sessions")
async def erase_sessions(user_id: UUID, session: AsyncSession = TaskiqDepends(get_session)) -> None:
    """Erases the data of one user's ended sessions."""
    await EndedSessionService(EndedSessionRepository(session)).erase(user_id)


@broker.task("erase_all_sessions", schedule=[{"interval": timedelta(hours=1)}])
async def erase_all_sessions(session: AsyncSession = TaskiqDepends(get_session)) -> None:
    """Erases the data of all ended and expired sessions, each hour."""
    await EndedSessionService(EndedSessionRepository(session)).erase_all()


class ErasingRefreshTokenRepository(RefreshTokenRepository):
    """Erases the sessions that `revoke_all` ends, once the transaction has committed."""

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        """Ends the sessions, and has their traces erased once that is committed."""
        await super().revoke_all(user_id, but=but)
        await put_task(self.session, erase_sessions, user_id=user_id)
