"""Tokens: signed ones that give access for minutes, opaque ones that renew it for days."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt

from app.core.config import DISTRIBUTION, Settings
from app.core.exceptions import UnauthorizedError

ALGORITHM = "HS256"
ACCESS = "access"
# What PyJWT raises, and what a claim of another type than ours makes `UUID` raise.
INVALID = (jwt.InvalidTokenError, ValueError, TypeError, AttributeError)
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

    @property
    def expires_in(self) -> int:
        """Seconds."""
        return int(self._lifetime.total_seconds())

    def issue(self, identity: Identity) -> str:
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
                    return Identity(UUID(claims["sub"]), UUID(claims["sid"]))
            except INVALID:
                continue
        raise UnauthorizedError("The access token is not valid.")


def new_refresh_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a refresh token. It is random, so that a fast hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
