from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.device import Device
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken


class KnownDeviceRepository:
    """The devices with which users are signed in. One of which nobody is left signed in is forgotten."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def is_known(self, user_id: UUID, device: Device) -> bool:
        """Whether the user has a session that calls itself so."""
        known = select(RefreshToken.id).where(
            RefreshToken.user_id == user_id,
            RefreshToken.user_agent == device.user_agent,
            RefreshToken.used_at.is_(None),
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > utc_now(),
        )
        return await self.session.scalar(known.limit(1)) is not None
