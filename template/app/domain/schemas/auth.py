from typing import Annotated, Literal

from pydantic import Field

from app.domain.schemas.base import Name, RequestModel, ResponseModel
from app.domain.schemas.user import Email, Password


class RefreshRequest(RequestModel):
    """A refresh token that the client exchanges or revokes."""

    refresh_token: Annotated[str, Field(max_length=200, pattern="^[A-Za-z0-9_-]+$")]


class RegisterRequest(RequestModel):
    """The fields of a registration."""

    email: Email
    password: Password
    full_name: Name


class TokenResponse(ResponseModel):
    """The tokens of a session: a short-lived access token, and a refresh token that works once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 (a type, not a token)
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]
