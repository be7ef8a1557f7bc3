"""What a POST answers that created a record: the record, its address and its version."""

from typing import Annotated

from fastapi import Depends, Request, Response

from app.api.conditions import ETag
from app.domain.models.base import Entity
from app.domain.schemas.base import ResponseModel


class Creation:
    """Answers for a record that this request created."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    async def respond[Created: ResponseModel](self, record: Entity, kind: type[Created]) -> Created:
        """Returns the record as `kind`, and puts `Location` and `ETag` into the response. Call it last."""
        self._response.headers["Location"] = f"{self._request.url.path}/{record.id}"
        return kind.model_validate(ETag(self._request, self._response).show(record))


async def get_creation(request: Request, response: Response) -> Creation:
    return Creation(request, response)


CreationDep = Annotated[Creation, Depends(get_creation)]
