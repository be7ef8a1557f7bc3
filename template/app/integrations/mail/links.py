"""The tokens of links in mails.

No token is stored: each is signed, and bound to what it is about to change. So it works once, and not at all once the
password or the address was changed in another way.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

import jwt

from app.core.config import DISTRIBUTION, Settings
from app.core.exceptions import UnauthorizedError
from app.core.security import ALGORITHM
from app.domain.models.user import User

CLAIMS = ["iss", "aud", "sub", "exp", "iat", "typ", "state"]
INVALID = (jwt.InvalidTokenError, ValueError, TypeError, AttributeError)
# Seconds by which the clocks of two machines may differ.
LEEWAY = 60
LIFETIME = timedelta(days=2)


class Purpose(StrEnum):
    """What a link is for, which is also the page of the frontend that it leads to."""

    RESET = "reset-password"
    INVITATION = "accept-invitation"
    VERIFY = "verify-email"
    CONFIRM = "confirm-email"


@dataclass(frozen=True)
class Link:
    """What a valid token says."""

    user_id: UUID
    state: str
    email: str | None

    def fits(self, user: User) -> bool:
        """Whether the user is still as when the link was made."""
        return compare_digest(self.state, state_of(user))


class Links:
    """Makes and reads them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lifetimes = dict.fromkeys(Purpose, LIFETIME)
        self._lifetimes[Purpose.RESET] = timedelta(minutes=settings.RESET_LINK_MINUTES)

    def lifetime(self, purpose: Purpose) -> timedelta:
        """For how long a link works."""
        return self._lifetimes[purpose]

    def make(self, purpose: Purpose, user: User, *, email: str | None = None) -> str:
        """Returns the URL. The token is in the fragment, which browsers send to no server (RFC 3986, 3.5)."""
        now = datetime.now(UTC)
        claims = {
            "iss": DISTRIBUTION,
            "aud": DISTRIBUTION,
            "sub": str(user.id),
            "iat": now,
            "exp": now + self._lifetimes[purpose],
            "typ": purpose,
            "state": state_of(user),
            "email": email,
        }
        token = jwt.encode(claims, self._settings.signing_keys[0], ALGORITHM)
        return f"{self._settings.FRONTEND_URL}/{purpose}#token={token}"

    def read(self, token: str, *purposes: Purpose) -> Link:
        """Raises UnauthorizedError, which does not say why."""
        for key in self._settings.signing_keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    issuer=DISTRIBUTION,
                    audience=DISTRIBUTION,
                    leeway=LEEWAY,
                    options={"require": CLAIMS},
                )
                if claims["typ"] in purposes:
                    return Link(UUID(claims["sub"]), claims["state"], claims.get("email"))
            except INVALID:
                continue
        raise not_valid()


def not_valid() -> UnauthorizedError:
    """The same for a link that is wrong, used or expired."""
    return UnauthorizedError("The link is not valid, or not any more.")


def state_of(user: User) -> str:
    """What a link dies with. It tells nothing, since the hash of the password is secret and has a random salt."""
    return sha256(f"{user.email} {user.password_hash}".encode()).hexdigest()
