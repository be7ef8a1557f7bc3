"""The terms that a request sets for a change besides its values: the version that the record must have, and merging."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.exceptions import PreconditionFailedError
from app.core.merge_patch import merged
from app.domain.models.base import Versioned

_TERMS = "terms"


@dataclass(frozen=True)
class Terms:
    """The terms of one change.

    `accepts` says whether the record may be changed as it is now. With `merge_limit`, objects are merged into the
    stored ones, up to this size in bytes; without it, they replace them.
    """

    accepts: Callable[[Versioned], bool] | None = None
    merge_limit: int | None = None

    def applied(self, record: Versioned, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values to write. The record must be locked. Raises PreconditionFailedError, UnprocessableError."""
        if self.accepts is not None and not self.accepts(record):
            raise PreconditionFailedError("This has changed since you read it: read it again.")
        if self.merge_limit is None:
            return values
        return {
            name: merged(getattr(record, name), value, self.merge_limit) if isinstance(value, dict) else value
            for name, value in values.items()
        }


def hold_terms(session: AsyncSession, record_id: UUID, terms: Terms) -> None:
    """Applies the terms to the next `update` or `delete` of this record in this session, by any repository.

    They travel with the session, so that no service and no repository has to pass them on. A commit fails if they were
    not applied, as when a repository overrides `update` or `delete` without them.
    """
    if _TERMS not in session.info:
        session.info[_TERMS] = {}
        event.listen(session.sync_session, "before_commit", _require_held)
    session.info[_TERMS][record_id] = terms


def _require_held(session: Session) -> None:
    if session.info[_TERMS] and not session.in_nested_transaction():
        raise RuntimeError("The route expects a version, but Repository.update or delete did not change the record.")


def take_terms(session: AsyncSession, record_id: UUID) -> Terms | None:
    """Returns the terms of the change that is about to happen, and removes them, since no later change has them."""
    held: dict[UUID, Terms] = session.info.get(_TERMS, {})
    return held.pop(record_id, None)
