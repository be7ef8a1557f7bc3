from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, bindparam, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.device import UNKNOWN, Device
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User

# How many sessions of a user are shown.
LIST_LIMIT = 100
# A token that is used or revoked keeps no data about its device.
_NO_DEVICE: Mapping[str, Any] = {"user_agent": None, "client": None}


class RefreshTokenRepository:
    """The sessions of users, as the chain of tokens that each has had."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(
        self, *, session_id: UUID, user_id: UUID, token_hash: str, expires_at: datetime, device: Device = UNKNOWN
    ) -> None:
        """Stores the next token of a session, by its hash."""
        self.session.add(
            RefreshToken(
                session_id=session_id,
                user_id=user_id,
                token_hash=token_hash,
                expires_at=expires_at,
                user_agent=device.user_agent,
                client=device.client,
            )
        )
        await self.session.flush()

    async def get(self, token_hash: str) -> RefreshToken | None:
        """Returns the token with this hash, whatever became of it, or None."""
        return await self.session.scalar(select(RefreshToken).where(RefreshToken.token_hash == token_hash))

    async def use(self, token_hash: str) -> bool:
        """Marks the token as used. Returns True to one caller at most, since it is a single statement."""
        statement = update(RefreshToken).where(RefreshToken.token_hash == token_hash, *_current(utc_now()))
        used = statement.values(used_at=utc_now(), **_NO_DEVICE).returning(RefreshToken.id)
        return await self.session.scalar(used) is not None

    async def get_user(self, user_id: UUID, session_id: UUID) -> User | None:
        """Returns the user of a session, or None if the session has ended or the user is inactive or deleted."""
        values = {"user_id": user_id, "session_id": session_id, "now": utc_now()}
        return await self.session.scalar(_USER_OF_SESSION, values)

    async def list_current(self, user_id: UUID, *, first: UUID | None = None) -> Sequence[RefreshToken]:
        """Returns the current token of each session of the user: `first`, then the most recently used."""
        tokens = select(RefreshToken).where(RefreshToken.user_id == user_id, *_current(utc_now()))
        order = (RefreshToken.session_id == first).desc(), RefreshToken.created_at.desc(), RefreshToken.id.desc()
        return (await self.session.scalars(tokens.order_by(*order).limit(LIST_LIMIT))).all()

    async def is_current(self, user_id: UUID, session_id: UUID) -> bool:
        """Returns whether the user has this session and it has not ended."""
        own = (RefreshToken.user_id == user_id, RefreshToken.session_id == session_id, *_current(utc_now()))
        return await self.session.scalar(select(RefreshToken.id).where(*own)) is not None

    async def hold(self, user_id: UUID) -> None:
        """Keeps anybody from signing in as this user, or refreshing a token, until the end of the transaction.

        It waits for a sign-in or refresh that is under way, so that a revocation that follows includes the new token.
        """
        await self.session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))

    async def revoke(self, session_id: UUID) -> None:
        """Ends a session."""
        await self._revoke(RefreshToken.session_id == session_id)

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> None:
        """Ends every session of the user, `but` one."""
        await self._revoke(RefreshToken.user_id == user_id, *(() if but is None else (RefreshToken.session_id != but,)))

    async def commit(self) -> None:
        """Commits the changes so far, even if the response will be an error."""
        await self.session.commit()

    async def _revoke(self, *conditions: ColumnElement[bool]) -> None:
        live = select(RefreshToken.id).where(*conditions, RefreshToken.revoked_at.is_(None))
        # Every transaction locks these rows in the same order, so that none deadlocks with another.
        locked = live.order_by(RefreshToken.id).with_for_update(key_share=True).cte("live")
        revoked = update(RefreshToken).where(RefreshToken.id.in_(select(locked.c.id)))
        await self.session.execute(revoked.values(revoked_at=utc_now(), **_NO_DEVICE))


def _current(now: datetime | BindParameter[datetime]) -> tuple[ColumnElement[bool], ...]:
    return (RefreshToken.used_at.is_(None), RefreshToken.revoked_at.is_(None), RefreshToken.expires_at > now)


# This is built only once, since every request with a session runs it.
_ALIVE = exists().where(
    RefreshToken.session_id == bindparam("session_id"), RefreshToken.user_id == User.id, *_current(bindparam("now"))
)
_USER_OF_SESSION = select(User).where(
    User.id == bindparam("user_id"), User.is_active, User.deleted_at.is_(None), _ALIVE
)
