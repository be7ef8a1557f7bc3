"""The registry of handlers, one for each kind of message in the outbox."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.core.config import Settings
from app.core.database import Database
from app.discovery import modules_of
from app.domain.messages import Message


@dataclass(frozen=True)
class Delivery:
    """One delivery of a message, with the settings and the database for its handler."""

    # The same each time this message is delivered, and different for every other message.
    id: int
    attempt: int
    settings: Settings
    database: Database


class DeliveryError(Exception):
    """Raised when a message cannot be delivered now, or ever if `final` is true.

    The reason is stored and shown by `make outbox`: it must hold no secret. Of any other error only its type and its
    place are stored.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


type Handler[Kind] = Callable[[Kind, Delivery], Awaitable[None]]

# The class and the handler of each kind of message.
HANDLERS: dict[str, tuple[type[Message], Handler[Any]]] = {}


def handles[Kind: Message](kind: type[Kind]) -> Callable[[Handler[Kind]], Handler[Kind]]:
    """Registers a function as the only handler of this kind of message. Raises ValueError if there is one already."""

    def register(handler: Handler[Kind]) -> Handler[Kind]:
        if kind.kind in HANDLERS:
            raise ValueError(f"{kind.kind} has a handler already.")
        HANDLERS[kind.kind] = (kind, handler)
        return handler

    return register


def discover_handlers() -> None:
    """Imports every module of `app.handlers`: a handler is known once its module is imported."""
    modules_of("app.handlers")
