"""Tokens: signed ones that give access for minutes, opaque ones that renew it for days."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import time
from uuid import UUID, uuid4

import jwt

from app.core.config import DISTRIBUTION, Settings
from app.core.exceptions import UnauthorizedError

ALGORITHM = "HS256"
ACCESS = "access"
# What PyJWT raises, and what a claim of another type than ours makes `UUID` raise.
INVALID = (jwt.InvalidTokenError, ValueError, TypeError, AttributeError)
NOT_VALID = "The access token is not valid."
# How many tokens are kept in mind.
VERIFIED = 4096
CLAIMS = ["iss", "aud", "sub", "sid", "jti", "exp", "iat", "typ"]


@dataclass(frozen=True)
class Identity:
    """Who a token says is asking, and the session that it belongs to."""

    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Issues and reads access tokens: JWTs of one algorithm, issuer, audience and type (RFC 8725)."""

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.signing_keys
        self._lifetime = timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
        # Clients send the same token again and again: what it says is verified once, its end is looked at each time.
        self._verified = lru_cache(VERIFIED)(self._verify)

    @property
    def expires_in(self) -> int:
        """Seconds."""
        return int(self._lifetime.total_seconds())

    def issue(self, identity: Identity) -> str:
        """Returns a signed token for this user and session, which expires after `ACCESS_TOKEN_EXPIRE_MINUTES`."""
        now = datetime.now(UTC)
        claims = {
            "iss": DISTRIBUTION,
            "aud": DISTRIBUTION,
            "sub": str(identity.user_id),
            "sid": str(identity.session_id),
            "jti": uuid4().hex,
            "iat": now,
            "exp": now + self._lifetime,
            "typ": ACCESS,
        }
        return jwt.encode(claims, self._keys[0], ALGORITHM)

    def read(self, token: str) -> Identity:
        """Raises UnauthorizedError, which does not say why."""
        identity, expires_at = self._verified(token)
        if expires_at <= time():
            raise UnauthorizedError(NOT_VALID)
        return identity

    def _verify(self, token: str) -> tuple[Identity, float]:
        for key in self._keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    issuer=DISTRIBUTION,
                    audience=DISTRIBUTION,
                    options={"require": CLAIMS},
                )
                if claims["typ"] == ACCESS:
                    return Identity(UUID(claims["sub"]), UUID(claims["sid"])), float(claims["exp"])
            except INVALID:
                continue
        raise UnauthorizedError(NOT_VALID)


def new_refresh_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a refresh token. It is random, so that a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
