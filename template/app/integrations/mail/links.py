"""The tokens of links in e-mails.

No token is stored: each is signed, and bound to the address and the password of its user. So it works once, and not at
all after the address or the password was changed in another way.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from uuid import UUID

from app.core.config import Settings
from app.core.exceptions import UnauthorizedError
from app.core.security import TOKEN_ERRORS, sign, verify
from app.domain.models.user import User

CLAIMS = ["iss", "aud", "sub", "exp", "iat", "typ", "state"]
# Seconds by which the clocks of two machines may differ.
LEEWAY = 60
LIFETIME = timedelta(days=2)


class Purpose(StrEnum):
    """The purpose of a link, which is also the page of the frontend that it leads to."""

    RESET = "reset-password"
    INVITATION = "accept-invitation"
    VERIFY = "verify-email"
    CONFIRM = "confirm-email"


@dataclass(frozen=True)
class Link:
    """The content of a valid token."""

    user_id: UUID
    state: str
    email: str | None

    def fits(self, user: User) -> bool:
        """Returns whether the user has the same address and password as when the link was made."""
        return compare_digest(self.state, state_of(user))


class Links:
    """Makes the links in e-mails, and reads their tokens."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lifetimes = dict.fromkeys(Purpose, LIFETIME)
        self._lifetimes[Purpose.RESET] = timedelta(minutes=settings.RESET_LINK_MINUTES)

    def lifetime(self, purpose: Purpose) -> timedelta:
        """Returns how long a link works."""
        return self._lifetimes[purpose]

    def make(self, purpose: Purpose, user: User, *, email: str | None = None) -> str:
        """Returns the URL. The token is in the fragment, which browsers send to no server (RFC 3986, 3.5)."""
        claims = {"sub": str(user.id), "typ": purpose, "state": state_of(user), "email": email}
        token = sign(claims, self._settings.signing_keys[0], self._lifetimes[purpose])
        return f"{self._settings.FRONTEND_URL}/{purpose}#token={token}"

    def read(self, token: str, *purposes: Purpose) -> Link:
        """Returns the content of the token. Raises UnauthorizedError, which does not say why."""
        try:
            claims = verify(token, self._settings.signing_keys, CLAIMS, leeway=LEEWAY)
            if claims["typ"] in purposes:
                return Link(UUID(claims["sub"]), claims["state"], claims.get("email"))
        except TOKEN_ERRORS:
            pass
        raise not_valid()


def not_valid() -> UnauthorizedError:
    """Returns the one error for a link that is wrong, used or expired."""
    return UnauthorizedError("The link is not valid, or no longer valid.")


def state_of(user: User) -> str:
    """Returns a hash of the address and the password hash: a link is void once it differs.

    Nobody can guess either from it, since the hash of the password is secret and has a random salt.
    """
    return sha256(f"{user.email} {user.password_hash}".encode()).hexdigest()
