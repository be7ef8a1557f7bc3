"""`expand=` includes referenced records in responses, as far as the caller may read them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from fastapi.requests import HTTPConnection
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import CurrentUser, SessionDep, TokenDep, get_optional_user
from app.domain.models.user import User
from app.domain.schemas.base import ResponseModel
from app.repository.base import Repository
from app.repository.links import LinkRepository

Source = Repository[Any] | LinkRepository[Any]
# The names that a resource allows, each with the repository that reads the referenced records or counts the links, a
# response schema, and for a list of references the field with their IDs.
type References = Mapping[str, tuple[type[Source], type[ResponseModel]] | tuple[type[Source], type[ResponseModel], str]]


class Expansion:
    """Fills in references and links for one caller."""

    def __init__(self, session: AsyncSession, caller: User | None) -> None:
        self._session = session
        self._caller = caller

    async def fill(self, responses: Sequence[ResponseModel], names: Collection[str], references: References) -> None:
        """Sets the field of each of these names: `customer` becomes the record with the ID `customer_id`, `tags` those
        with the `tag_ids`, and a link is counted.

        A record that is deleted, or that the caller may not read, is None, and left out of a list. This takes one
        statement for each name, however many responses there are.
        """
        for name in names:
            repository, kind, *ids = references[name]
            key = ids[0] if ids else "id" if issubclass(repository, LinkRepository) else f"{name}_id"
            named = [_listed(getattr(response, key)) for response in responses]
            wanted = {record_id for listed in named for record_id in listed}
            records = await self._read(repository, wanted) if wanted else {}
            found = {record_id: kind.model_validate(record) for record_id, record in records.items()}
            for response, listed in zip(responses, named, strict=True):
                shown = [found[record_id] for record_id in listed if record_id in found]
                setattr(response, name, shown if ids else next(iter(shown), None))

    async def _read(self, repository: type[Source], wanted: Collection[UUID]) -> Mapping[UUID, object]:
        if issubclass(repository, LinkRepository):
            return await repository(self._session).count(wanted, self._caller)
        readable = repository.readable_by(self._session, self._caller)
        records = await readable.seen_by(self._caller).get_many(wanted) if readable else ()
        return {record.id: record for record in records}


def _listed(ids: UUID | Sequence[UUID] | None) -> Sequence[UUID]:
    return [ids] if isinstance(ids, UUID) else ids or []


async def get_expansion(session: SessionDep, caller: CurrentUser) -> Expansion:
    """Returns the expansion for a signed-in caller."""
    return Expansion(session, caller)


async def get_public_expansion(connection: HTTPConnection, session: SessionDep, token: TokenDep) -> Expansion:
    """Returns the expansion for anybody, signed in or not.

    Raises UnauthorizedError for a token that is not valid, if the request has `expand`.
    """
    is_asked = "expand" in connection.query_params
    return Expansion(session, await get_optional_user(connection, token) if is_asked else None)


# Take these before any dependency that queries the database: they look up the caller on a separate connection.
ExpansionDep = Annotated[Expansion, Depends(get_expansion)]
PublicExpansionDep = Annotated[Expansion, Depends(get_public_expansion)]
