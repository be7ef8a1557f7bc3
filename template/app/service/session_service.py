"""The rules about the sessions that users have, one for each place where they are signed in."""

from uuid import UUID

from app.core.exceptions import NotFoundError
from app.core.security import Identity
from app.domain.models.refresh_token import RefreshToken
from app.domain.schemas.session import SessionResponse
from app.repository.refresh_token_repository import RefreshTokenRepository


class SessionService:
    """Shows a user their sessions, and ends them."""

    def __init__(self, refresh_tokens: RefreshTokenRepository) -> None:
        self.refresh_tokens = refresh_tokens

    async def list(self, caller: Identity) -> list[SessionResponse]:
        """Returns the session of this request, then the others, latest use first."""
        tokens = await self.refresh_tokens.list_current(caller.user_id, first=caller.session_id)
        return [_shown(token, caller) for token in tokens]

    async def end(self, caller: Identity, session_id: UUID) -> None:
        """Ends one session of the caller. Raises NotFoundError if the caller has no such session."""
        await self.refresh_tokens.hold(caller.user_id)
        if not await self.refresh_tokens.is_current(caller.user_id, session_id):
            raise NotFoundError
        await self.refresh_tokens.revoke(session_id)

    async def end_others(self, caller: Identity) -> None:
        """Ends all sessions of the caller except the one of this request."""
        await self.refresh_tokens.hold(caller.user_id)
        await self.refresh_tokens.revoke_all(caller.user_id, but=caller.session_id)


def _shown(token: RefreshToken, caller: Identity) -> SessionResponse:
    return SessionResponse(
        id=token.session_id,
        created_at=token.session_created_at,
        last_used_at=token.created_at,
        user_agent=token.user_agent,
        client=token.client,
        current=token.session_id == caller.session_id,
    )
