"""Records that refer to any number of others, such as articles to their tags."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from app.core.exceptions import BROKEN_REFERENCE, ConflictError
from app.domain.models.base import Entity, utc_now
from app.domain.models.user import User
from app.domain.schemas.filters import Operator
from app.repository.base import COMPARISONS, Repository


@dataclass(frozen=True, eq=False)
class Related:
    """A list of references: the field of their IDs, the relationship, and the repository of the records in it."""

    ids: str
    relation: InstrumentedAttribute[Any]
    repository: type[Repository[Any]]

    @property
    def key(self) -> str:
        """The name of one of the IDs, such as `tag_id`, which is also the name of the filter."""
        return self.ids.removesuffix("s")

    @property
    def model(self) -> type[Entity]:
        """The model of the records in the list."""
        model: type[Entity] = self.relation.property.mapper.class_
        return model


class RelatedRepository[Model: Entity](Repository[Model]):
    """A repository whose records have lists of references.

    Lists and filters leave out records that are deleted, and those that `seen_by` hides. A change of a list keeps them.
    Do not read a record for two callers in one session, since the session loads each list only once.
    """

    related: ClassVar[Sequence[Related]]

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session)
        # For each list, the repository of the records that the caller may read. None if nothing is hidden.
        self._readable: Mapping[Related, Repository[Any] | None] | None = None

    @classmethod
    def readable_by(cls, session: AsyncSession, caller: User | None) -> Self | None:
        """Callers see those of the records in a list that they may read."""
        readable = super().readable_by(session, caller)
        return readable.seen_by(caller) if readable else None

    def seen_by(self, caller: User | None) -> Self:
        """Leaves records that this caller may not read out of lists of references. Returns this repository."""
        self._readable = {each: each.repository.readable_by(self.session, caller) for each in self.related}
        return self

    @property
    def loader_options(self) -> Sequence[ORMOption]:
        """Loads each list in one statement, however many records are read."""
        lists = (selectinload(each.relation.and_(self._shown(each))) for each in self.related)
        return [*super().loader_options, *lists]

    async def create(self, /, **values: Any) -> Model:
        """Creates empty lists where none are given. Raises the errors of `Repository.create`."""
        return await super().create(**{each.ids: () for each in self.related} | values)

    async def _resolve(self, values: Mapping[str, Any], record: Model | None = None) -> Mapping[str, Any]:
        resolved = dict(await super()._resolve(values, record))
        for each in self.related:
            if each.ids in resolved:
                listed = await self._locked_records(each, resolved.pop(each.ids))
                resolved[each.relation.key] = listed
                if record is not None and listed != getattr(record, each.relation.key):
                    # The list is stored in another table, so without this the record would keep its version.
                    resolved["updated_at"] = utc_now()
        return resolved

    async def _locked_records(self, related: Related, ids: Collection[UUID]) -> Sequence[Entity]:
        if not ids:
            return []
        model = related.model
        chosen = select(model).where(model.id.in_(ids), self._shown(related)).order_by(model.id)
        records = (await self.session.scalars(chosen.with_for_update(of=model, read=True))).all()
        if len(records) < len(ids):
            raise ConflictError(BROKEN_REFERENCE.format(related.key.replace("_", " ")))
        return records

    def _condition(self, name: str, operator: Operator, value: Any) -> ColumnElement[bool]:
        for each in self.related:
            if name.partition("__")[0] == each.key:
                found: ColumnElement[bool] = each.relation.any(
                    COMPARISONS[operator](each.model.id, value) & self._shown(each)
                )
                return found
        return super()._condition(name, operator, value)

    def _shown(self, related: Related) -> ColumnElement[bool]:
        readable = related.repository(self.session) if self._readable is None else self._readable[related]
        return false() if readable is None else readable.scope
