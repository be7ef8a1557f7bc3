"""Delivers one message of the outbox, and says what became of it."""

import asyncio
import random
import traceback
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from loguru import logger
from pydantic import ValidationError

from app.core.config import ROOT, Settings
from app.core.context import request_id
from app.core.database import Database
from app.domain.messages import Message
from app.repository.outbox_repository import Claim, Outcome
from app.service.handlers import Delivery, DeliveryError, Handler

# The longest pause between two attempts, in seconds.
LONGEST_DELAY = 3600.0

type Handlers = Mapping[str, tuple[type[Message], Handler[Any]]]


class Deliverer:
    """Runs the handlers of messages."""

    def __init__(self, settings: Settings, database: Database, handlers: Handlers) -> None:
        self._settings = settings
        self._database = database
        self._handlers = handlers

    async def deliver(self, claim: Claim) -> Outcome:
        """Returns the outcome, and raises nothing, even if the handler fails or is cancelled."""
        request_id.set(claim.request_id)
        log = logger.bind(kind=claim.kind, message_id=claim.id, attempt=claim.attempt)
        started = perf_counter()
        try:
            await self._handle(claim)
        except asyncio.CancelledError:  # the process is told to stop
            return Outcome(claim, released=True)
        except Exception as error:  # noqa: BLE001 (whatever a handler raises)
            outcome = self._failure(claim, error)
            is_ours = isinstance(error, DeliveryError)
            log = log.bind(error=outcome.error).opt(exception=None if is_ours else error)
            log.log("WARNING" if outcome.delay else "ERROR", _said(outcome))
            return outcome
        log.bind(duration_ms=round((perf_counter() - started) * 1000, 2)).info("message")
        return Outcome(claim)

    async def _handle(self, claim: Claim) -> None:
        if claim.attempt > self._settings.OUTBOX_ATTEMPTS:
            raise DeliveryError(claim.error or "Every process that tried stopped before it was done.", final=True)
        if claim.kind not in self._handlers:
            raise DeliveryError(f"This version of the application has no handler of {claim.kind}.")
        kind, handler = self._handlers[claim.kind]
        message, seconds = _message(kind, claim.payload), self._settings.OUTBOX_TIMEOUT
        try:
            async with asyncio.timeout(seconds) as limit:
                await handler(message, Delivery(claim.id, claim.attempt, self._settings, self._database))
        except TimeoutError:
            if limit.expired():
                raise DeliveryError(f"The handler did not end within {seconds:g} seconds.") from None
            raise

    def _failure(self, claim: Claim, error: Exception) -> Outcome:
        is_final = isinstance(error, DeliveryError) and error.final
        if is_final or claim.attempt >= self._settings.OUTBOX_ATTEMPTS:
            return Outcome(claim, error=_reason(error))
        # Half of the delay is random, so that messages that failed together are not tried together.
        delay = min(2.0**claim.attempt, LONGEST_DELAY) * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        return Outcome(claim, error=_reason(error), delay=delay)


def _said(outcome: Outcome) -> str:
    return "a message was parked" if outcome.delay is None else "a message was not delivered"


def _message(kind: type[Message], payload: str) -> Message:
    """Raises DeliveryError, which names fields but no values, if another version stored the message in another form."""
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        raise DeliveryError(f"The stored message does not fit {kind.kind} of this version: {fields}.") from None


def _reason(error: Exception) -> str:
    """Returns what to store: of an error that is not ours only its type and place, since its text may hold a secret."""
    if isinstance(error, DeliveryError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(f"{ROOT}/app/")]
    theirs = [frame for frame in frames if frame.filename != __file__]
    place = "".join(f" in {frame.filename.removeprefix(f'{ROOT}/')}, line {frame.lineno}" for frame in theirs[-1:])
    return f"{type(error).__name__}{place}"
