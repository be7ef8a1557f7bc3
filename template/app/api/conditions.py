"""The version of a record in requests and responses: ETag, If-None-Match and If-Match (RFC 9110, 13).

A route that shows a record takes `ETagDep`, and one that changes a record `ChangeDep`.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException, Request, Response
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import SessionDep, settings_of
from app.core.exceptions import PreconditionRequiredError
from app.domain.models.base import Versioned
from app.repository.terms import Terms, hold_terms

MERGE_PATCH = "application/merge-patch+json"

# An entity tag (RFC 9110, 8.8.3) as a member of a list.
_MEMBER = re.compile(r'(?:^|,)[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')


class ETag:
    """Sends the version of a record as an ETag, and compares it with If-None-Match."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def show[Record: Versioned](self, record: Record) -> Record:
        """Puts the version into the response, and returns the record. Call it last, with a record the client may see.

        The record must be flushed, so that its version is the one that is committed.

        Raises HTTPException with 304 and the same headers if the client of a GET has this version.
        """
        headers, tag = self._response.headers, _tag(record)
        headers["ETag"] = tag
        if self._request.method == "GET":
            headers.setdefault("Cache-Control", "no-cache")  # it may be stored, but must be revalidated each time
            headers.add_vary_header("Authorization")
            if _names(self._request, "If-None-Match", tag, is_weak=True):
                raise HTTPException(304, headers=dict(headers))
        return record


class Change(ETag):
    """Applies If-Match to a change of a record, and merges the body if it is a merge patch."""

    def __init__(self, request: Request, response: Response, session: AsyncSession) -> None:
        super().__init__(request, response)
        self._session = session

    def expect(self, record_id: UUID) -> None:
        """Applies If-Match to the next change of this record. Call it right before the change.

        The version is checked while the record is locked, so that PreconditionFailedError comes from the change itself.
        Raises PreconditionRequiredError if an If-Match is required and there is none.
        """
        headers, settings = self._request.headers, settings_of(self._request)
        is_conditional = "If-Match" in headers
        if settings.REQUIRE_IF_MATCH and not is_conditional:
            raise PreconditionRequiredError("Send If-Match with the ETag of what you read.")
        media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_patch = self._request.method == "PATCH" and media_type == MERGE_PATCH
        if is_conditional or is_patch:
            terms = Terms(
                self._accepts if is_conditional else None,
                settings.MAX_BODY_SIZE if is_patch else None,
            )
            hold_terms(self._session, record_id, terms)

    def _accepts(self, record: Versioned) -> bool:
        return _names(self._request, "If-Match", _tag(record), is_weak=False)


def tag_of(version: int, listed: Sequence[object] = ()) -> str:
    """Returns the strong entity tag of a version, and of the records in its lists, if it has any."""
    digest = f"-{sha256(repr(listed).encode()).hexdigest()[:16]}" if listed else ""
    return f'"{version}{digest}"'


def _tag(record: Versioned) -> str:
    """Returns the tag of a record. Its lists count, since they may change without the version and differ by caller."""
    state = inspect(record)
    lists = [each.key for each in state.mapper.relationships if each.info.get("in_etag")]
    return tag_of(record.version, [other.id for name in lists for other in getattr(record, name)])


async def get_etag(request: Request, response: Response) -> ETag:
    """Lets a route show the version of a record. Take `ETagDep`."""
    return ETag(request, response)


async def get_change(request: Request, response: Response, session: SessionDep) -> Change:
    """Lets a route change a record under the terms of the request. Take `ChangeDep`."""
    return Change(request, response, session)


ETagDep = Annotated[ETag, Depends(get_etag)]
ChangeDep = Annotated[Change, Depends(get_change)]


def _names(request: Request, header: str, tag: str, *, is_weak: bool) -> bool:
    """Returns whether the header contains this tag or `*`.

    Weak tags match only if `is_weak` is set (RFC 9110, 13.1.1 and 13.1.2). A list may be split over several headers
    (RFC 9110, 5.3).
    """
    listed = ",".join(request.headers.getlist(header))
    tags = [member.removeprefix("W/") if is_weak else member for member in _MEMBER.findall(listed)]
    return listed.strip() == "*" or tag in tags
