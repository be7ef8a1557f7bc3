"""What the outbox carries: a class for each kind of message, in a module here. docs/outbox.md shows one."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Something to be done once a transaction has committed. Its fields are stored until it is done.

    It is stored under its kind, which is the name of the class: whoever renames the class gives it the old name, by
    `class NewName(Message, kind="OldName")`, for as long as messages of the old one may wait.
    """

    model_config = ConfigDict(frozen=True)

    kind: ClassVar[str]

    def __init_subclass__(cls, *, kind: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kind = kind or cls.__name__
