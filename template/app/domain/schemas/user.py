import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, AfterValidator, EmailStr, Field, StrictBool

from app.domain.models.user import Role
from app.domain.schemas.base import Name, RequestModel, ResponseModel, Storable
from app.domain.schemas.common import ExportQuery, SearchFilters, SearchQuery
from app.domain.schemas.filters import Above, AtLeast, AtMost, Below, In, Is


def normalize_email(value: str) -> str:
    """One spelling for addresses that a person would call the same, so that a unique index can tell."""
    return unicodedata.normalize("NFKC", value).casefold()


Email = Annotated[EmailStr, AfterValidator(normalize_email), Field(max_length=254)]
# Taken as it is: no trimming, no normalising. The upper bound keeps hashing cheap to refuse.
MAXIMUM_PASSWORD_LENGTH = 128
Password = Annotated[str, Field(min_length=8, max_length=MAXIMUM_PASSWORD_LENGTH), Storable]


class UserCreate(RequestModel):
    """The fields of a new user, whom an administrator creates."""

    email: Email
    password: Password
    full_name: Name
    role: Role = Role.USER


class UserUpdate(RequestModel):
    """The fields of a user that an administrator changes. A field that is not sent keeps its value."""

    full_name: Name | MISSING = MISSING
    role: Role | MISSING = MISSING
    is_active: StrictBool | MISSING = MISSING


class ProfileUpdate(RequestModel):
    """What users may change of themselves."""

    full_name: Name | MISSING = MISSING


class PasswordChange(RequestModel):
    """A new password of one's own, with the one that it replaces."""

    current_password: Annotated[str, Field(max_length=MAXIMUM_PASSWORD_LENGTH), Storable]
    new_password: Password


class PasswordReset(RequestModel):
    """A new password for somebody else."""

    new_password: Password


class UserFilters(SearchFilters):
    """The order and the filters of a list of users."""

    sort_by: Literal[
        "created_at",
        "updated_at",
        "email",
        "full_name",
    ] = "created_at"
    email: Is[Email] = MISSING
    email__in: In[Email] = MISSING
    full_name: Is[Name] = MISSING
    full_name__in: In[Name] = MISSING
    full_name__gt: Above[Name] = MISSING
    full_name__gte: AtLeast[Name] = MISSING
    full_name__lt: Below[Name] = MISSING
    full_name__lte: AtMost[Name] = MISSING
    role: Is[Role] = MISSING
    role__in: In[Role] = MISSING
    is_active: Is[bool] = MISSING


class UserListQuery(UserFilters, SearchQuery):
    """The query for one page of users."""


class UserExportQuery(UserFilters, ExportQuery):
    """The query for a file of users."""


class UserResponse(ResponseModel):
    """A user as others see them, without any secret."""

    id: UUID
    email: str
    full_name: str
    role: Role
    is_active: bool
    created_at: datetime
    updated_at: datetime
