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
# The names that a resource allows, each with a response schema, and the repository that reads the referenced record or
# counts the links.
type References = Mapping[str, tuple[type[Source], type[ResponseModel]]]


class Expansion:
    """Fills in references and links for one caller."""

    def __init__(self, session: AsyncSession, caller: User | None) -> None:
        self._session = session
        self._caller = caller

    async def fill(self, responses: Sequence[ResponseModel], names: Collection[str], references: References) -> None:
        """Sets the field of each of these names: `customer` becomes the record with the ID `customer_id`, and a link is
        counted.

        The field becomes None if the record is deleted or the caller may not read it. This takes one statement for
        each name, however many responses there are.
        """
        for name in names:
            repository, kind = references[name]
            key = "id" if issubclass(repository, LinkRepository) else f"{name}_id"
            wanted = {getattr(response, key) for response in responses} - {None}
            records = await self._read(repository, wanted) if wanted else {}
            found = {record_id: kind.model_validate(record) for record_id, record in records.items()}
            for response in responses:
                setattr(response, name, found.get(getattr(response, key)))

    async def _read(self, repository: type[Source], wanted: Collection[UUID]) -> Mapping[UUID, object]:
        if issubclass(repository, LinkRepository):
            return await repository(self._session).count(wanted, self._caller)
        readable = repository.readable_by(self._session, self._caller)
        records = await readable.get_many(wanted) if readable else ()
        return {record.id: record for record in records}


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
