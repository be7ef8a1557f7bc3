"""The version of a record in requests and responses: ETag, If-None-Match and If-Match (RFC 9110, 13).

A route that shows a record takes `ETagDep`, and one that changes a record `ChangeDep`.
"""

import re
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import SessionDep, settings_of
from app.core.exceptions import PreconditionRequiredError
from app.domain.models.base import Versioned
from app.repository.terms import Terms, hold_terms

MERGE_PATCH = "application/merge-patch+json"

# An entity tag (RFC 9110, 8.8.3) as a member of a list.
_MEMBER = re.compile(r'(?:^|,)[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')


class ETag:
    """What a response says about the version of its record, and a request about the one that its client has."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def show[Record: Versioned](self, record: Record) -> Record:
        """Puts the version into the response, and returns the record. Call it last, with what the client may see.

        Raises HTTPException with 304 and the same headers if the client of a GET has this version.
        """
        headers, tag = self._response.headers, tag_of(record.version)
        headers["ETag"] = tag
        if self._request.method == "GET":
            headers.setdefault("Cache-Control", "no-cache")  # keep it, and ask each time
            headers.add_vary_header("Authorization")
            if tag in self._known():
                raise HTTPException(304, headers=dict(headers))
        return record

    def _known(self) -> Sequence[str]:
        """What the client has, with no regard to weakness (RFC 9110, 13.1.2); `*` is of no use to it."""
        return [tag.removeprefix("W/") for tag in _tags(self._request, "If-None-Match")]


class Change(ETag):
    """What a request demands of the change that it makes: If-Match, and whether it is a merge patch."""

    def __init__(self, request: Request, response: Response, session: AsyncSession) -> None:
        super().__init__(request, response)
        self._session = session

    def expect(self, record_id: UUID) -> None:
        """Has the change of this record meet what the request demands. Call it right before the change.

        The database decides, with the record locked, so that PreconditionFailedError comes from the change itself.
        Raises PreconditionRequiredError if there must be an If-Match and there is none.
        """
        headers, settings = self._request.headers, settings_of(self._request)
        is_conditional = "If-Match" in headers
        if settings.REQUIRE_IF_MATCH and not is_conditional:
            raise PreconditionRequiredError("Send If-Match with the ETag of what you read.")
        is_patch = headers.get("Content-Type", "").partition(";")[0].strip().lower() == MERGE_PATCH
        if is_conditional or is_patch:
            terms = Terms(
                self._accepts if is_conditional else None,
                settings.MAX_BODY_SIZE if is_patch else None,
            )
            hold_terms(self._session, record_id, terms)

    def _accepts(self, version: int) -> bool:
        """A weak tag never matches here (RFC 9110, 13.1.1), nor does what is no tag."""
        return _is_any(self._request, "If-Match") or tag_of(version) in _tags(self._request, "If-Match")


def tag_of(version: int) -> str:
    return f'"{version}"'


async def get_etag(request: Request, response: Response) -> ETag:
    return ETag(request, response)


async def get_change(request: Request, response: Response, session: SessionDep) -> Change:
    return Change(request, response, session)


ETagDep = Annotated[ETag, Depends(get_etag)]
ChangeDep = Annotated[Change, Depends(get_change)]


def _is_any(request: Request, name: str) -> bool:
    return request.headers[name].strip() == "*"


def _tags(request: Request, name: str) -> Sequence[str]:
    """A list may be in one header or in several (RFC 9110, 5.3)."""
    return _MEMBER.findall(",".join(request.headers.getlist(name)))
