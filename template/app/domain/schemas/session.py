from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.domain.schemas.base import ResponseModel


class SessionResponse(ResponseModel):
    """One place where a user is signed in."""

    id: UUID
    created_at: Annotated[datetime, Field(description="When somebody signed in.")]
    last_used_at: Annotated[datetime, Field(description="When the session last got tokens, as it does while in use.")]
    user_agent: Annotated[str | None, Field(description="What the client calls itself; it may claim anything.")]
    client: Annotated[str | None, Field(description="The address from which the session was last used.")]
    current: Annotated[bool, Field(description="Whether this is the session of this request.")]
