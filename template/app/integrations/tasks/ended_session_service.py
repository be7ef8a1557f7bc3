"""The rules about the data that sessions leave behind."""

from uuid import UUID

from app.integrations.tasks.ended_session_repository import EndedSessionRepository


class EndedSessionService:
    """Erases ended sessions. Each batch is committed separately, so that an interruption loses no finished work."""

    def __init__(self, sessions: EndedSessionRepository) -> None:
        self.sessions = sessions

    async def erase(self, user_id: UUID) -> None:
        """Erases what is left of the sessions of this user that were ended."""
        while await self.sessions.delete_revoked(user_id):
            await self.sessions.commit()

    async def erase_all(self) -> None:
        """Erases what is left of all sessions that were ended or have expired."""
        while await self.sessions.delete_expired():
            await self.sessions.commit()
