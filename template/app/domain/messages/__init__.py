"""The messages of the outbox: a class for each kind, in a module of this package. docs/outbox.md shows one."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Work to be done once a transaction has committed. Its fields are stored until it is done.

    A message is stored under its kind, which is the name of the class. A class that is renamed keeps the old name as
    its kind, by `class NewName(Message, kind="OldName")`, for as long as messages may wait under that name.
    """

    model_config = ConfigDict(frozen=True)

    kind: ClassVar[str]

    def __init_subclass__(cls, *, kind: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kind = kind or cls.__name__
