"""Tokens: signed ones that give access for minutes, opaque ones that renew it for days."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import time
from typing import Any
from uuid import UUID, uuid4

import jwt

from app.core.config import DISTRIBUTION, Settings
from app.core.exceptions import UnauthorizedError

ALGORITHM = "HS256"
ACCESS = "access"
# The errors that PyJWT raises, and those that `UUID` raises for a claim of the wrong type.
TOKEN_ERRORS = (jwt.InvalidTokenError, ValueError, TypeError, AttributeError)
INVALID = TOKEN_ERRORS  # deprecated: this name is removed in 0.6.0
NOT_AUTHENTICATED = "The access token is not valid."
# How many verified tokens are cached.
CACHED_TOKENS = 4096
CLAIMS = ["iss", "aud", "sub", "sid", "jti", "exp", "iat", "typ"]


@dataclass(frozen=True)
class Identity:
    """The user that a token identifies, and the session that it belongs to."""

    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Issues and reads access tokens: JWTs of one algorithm, issuer, audience and type (RFC 8725)."""

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.signing_keys
        self._lifetime = timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
        # Clients send the same token again and again: its claims are verified once, its expiry is checked each time.
        self._verified = lru_cache(CACHED_TOKENS)(self._verify)

    @property
    def expires_in(self) -> int:
        """How long an access token is valid, in seconds."""
        return int(self._lifetime.total_seconds())

    def issue(self, identity: Identity) -> str:
        """Returns a signed token for this user and session, which expires after `ACCESS_TOKEN_EXPIRE_MINUTES`."""
        claims = {"sub": str(identity.user_id), "sid": str(identity.session_id), "jti": uuid4().hex, "typ": ACCESS}
        return sign(claims, self._keys[0], self._lifetime)

    def read(self, token: str) -> Identity:
        """Returns the identity in a token. Raises UnauthorizedError, which does not say why the token is refused."""
        identity, expires_at = self._verified(token)
        if expires_at <= time():
            raise UnauthorizedError(NOT_AUTHENTICATED)
        return identity

    def _verify(self, token: str) -> tuple[Identity, float]:
        try:
            claims = verify(token, self._keys, CLAIMS)
            if claims["typ"] == ACCESS:
                return Identity(UUID(claims["sub"]), UUID(claims["sid"])), float(claims["exp"])
        except TOKEN_ERRORS:
            pass
        raise UnauthorizedError(NOT_AUTHENTICATED)


def sign(claims: Mapping[str, object], key: bytes, lifetime: timedelta) -> str:
    """Returns a token with these claims, and with those about its issuer, its audience and its time."""
    now = datetime.now(UTC)
    ours = {"iss": DISTRIBUTION, "aud": DISTRIBUTION, "iat": now, "exp": now + lifetime}
    return jwt.encode(ours | dict(claims), key, ALGORITHM)


def verify(token: str, keys: Iterable[bytes], required: list[str], *, leeway: float = 0) -> dict[str, Any]:
    """Returns the claims of a token that one of these keys has signed, and that has not expired.

    `leeway` is how far the clocks of two machines may differ, in seconds. Raises an error of `TOKEN_ERRORS`.
    """
    for key in keys:
        with suppress(*TOKEN_ERRORS):
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=DISTRIBUTION,
                audience=DISTRIBUTION,
                leeway=leeway,
                options={"require": required},
            )
    raise jwt.InvalidTokenError


def new_refresh_token() -> str:
    """Returns a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Returns the hash that is stored of a refresh token. The token is random, so that a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
