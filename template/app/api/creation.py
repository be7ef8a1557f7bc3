"""The response to a POST that created a record: the record itself, `Location` and `ETag`.

A request that repeats an `Idempotency-Key` gets the same response.
"""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request, Response

from app.api.conditions import ETag
from app.api.deps import CurrentUser, SessionDep, providers_of
from app.api.idempotency import Repeatable, key_of
from app.domain.models.base import Entity, Slugged
from app.domain.schemas.base import ResponseModel


class Creation:
    """Builds the response for a record that this request created."""

    def __init__(self, request: Request, response: Response, repeatable: Repeatable | None) -> None:
        self._request = request
        self._response = response
        self._repeatable = repeatable

    async def respond[Created: ResponseModel](self, record: Entity, kind: type[Created]) -> Created:
        """Returns the record as `kind`, and puts `Location` and `ETag` into the response. Call it last."""
        headers = self._response.headers
        name = quote(record.slug) if isinstance(record, Slugged) else record.id
        headers["Location"] = f"{self._request.url.path}/{name}"
        created = kind.model_validate(ETag(self._request, self._response).show(record))
        if self._repeatable is not None:
            status = self._response.status_code or self._request.scope["route"].status_code or 200
            kept = {name: headers[name] for name in ("Location", "ETag")}
            await self._repeatable.keep(status, kept, created.model_dump_json(by_alias=True).encode())
        return created


async def get_creation(
    request: Request, response: Response, session: SessionDep, caller: CurrentUser
) -> AsyncIterator[Creation]:
    """Take `CreationDep` in a POST with a JSON body that creates one record for a signed-in user and returns no secret.

    The handler must return the result of `respond`, since a repeated request gets exactly that.
    """
    key = key_of(request)
    if key is None:
        yield Creation(request, response, None)
        return
    repeatable = Repeatable(request, session, caller.id, key, await request.body())
    with repeatable.running(providers_of(request).running_requests):
        await repeatable.claim()
        yield Creation(request, response, repeatable)


CreationDep = Annotated[Creation, Depends(get_creation, scope="function")]
