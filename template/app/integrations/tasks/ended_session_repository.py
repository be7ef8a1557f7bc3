from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken

# Few enough for one statement to be done in time.
BATCH = 1000


class EndedSessionRepository:
    """The refresh tokens that can no longer be used. A deleted token is refused like a revoked one."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def delete_revoked(self, user_id: UUID) -> int:
        """Deletes at most `BATCH` revoked tokens of this user, and returns how many."""
        return await self._delete(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_not(None))

    async def delete_expired(self) -> int:
        """Deletes at most `BATCH` expired or revoked tokens, and returns how many."""
        return await self._delete(or_(RefreshToken.expires_at <= utc_now(), RefreshToken.revoked_at.is_not(None)))

    async def commit(self) -> None:
        """Ends a batch, whatever becomes of the next one."""
        await self.session.commit()

    async def _delete(self, *conditions: ColumnElement[bool]) -> int:
        # Workers that run at the same time take different rows.
        batch = select(RefreshToken.id).where(*conditions).limit(BATCH).with_for_update(skip_locked=True)
        deleted = delete(RefreshToken).where(RefreshToken.id.in_(batch)).returning(RefreshToken.id)
        return len((await self.session.scalars(deleted)).all())
