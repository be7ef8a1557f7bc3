"""Who may read the records of a repository when another record refers to them."""

from enum import Enum, auto

from app.domain.models.user import Role, User


class Readers(Enum):
    """The callers who may read."""

    NOBODY = auto()
    ADMINISTRATORS = auto()
    SIGNED_IN = auto()
    ANYBODY = auto()

    def include(self, caller: User | None) -> bool:
        """Returns whether this caller may read; None stands for somebody who is not signed in."""
        if self is Readers.ADMINISTRATORS:
            return caller is not None and caller.role is Role.ADMIN
        return self is Readers.ANYBODY or (self is Readers.SIGNED_IN and caller is not None)
