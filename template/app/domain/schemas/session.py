from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.domain.schemas.base import ResponseModel


class SessionResponse(ResponseModel):
    """One place where a user is signed in."""

    id: UUID
    created_at: Annotated[datetime, Field(description="When somebody signed in.")]
    last_used_at: Annotated[datetime, Field(description="When it last got tokens, which it does while it is used.")]
    user_agent: Annotated[str | None, Field(description="What the software calls itself; it may say anything.")]
    client: Annotated[str | None, Field(description="The address that it was last used from.")]
    current: Annotated[bool, Field(description="Whether this request belongs to it.")]
