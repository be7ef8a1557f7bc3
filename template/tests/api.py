"""Holds where the API of this project is, and how a client signs in: the owner may change both.

No other file of the tests says so. The form of errors is in `errors.py`, and a user in `factories/user_factory.py`.
"""

from typing import Any

from httpx2 import Response

from app.core.config import Settings

PREFIX = Settings().API_V1_PREFIX

AUTH = "/auth"
LOGIN = f"{AUTH}/login"
LOGOUT = f"{AUTH}/logout"
REFRESH = f"{AUTH}/refresh"
REGISTER = f"{AUTH}/register"

USERS = "/users"
ME = f"{USERS}/me"

# The form of OAuth2, which calls an e-mail address a username; `application/json` works, too.
LOGIN_TYPE = "application/x-www-form-urlencoded"
LOGIN_FIELD = "username"


def credentials(email: str, password: str) -> dict[str, Any]:
    """Returns the arguments with which a client sends them to LOGIN."""
    fields = {LOGIN_FIELD: email, "password": password}
    return {"json": fields} if LOGIN_TYPE == "application/json" else {"data": fields}


def bearer(signed_in: Response) -> dict[str, str]:
    """Returns the headers of the user who got this response to a sign-in."""
    return {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
