"""Shows the state of the outbox, or has parked messages tried again: `python -m scripts.outbox [ID | all]`."""

import sys
from collections.abc import Iterator, Sequence

from app.core.config import Settings, get_settings
from app.domain.models.outbox_message import OutboxMessage
from app.repository.outbox_state_repository import OutboxState, OutboxStateRepository
from scripts.database import patient_database, say

# How many parked messages are shown.
SHOWN = 20

# The largest ID that a database can hold, since IDs are 64-bit integers.
GREATEST_ID = 2**63 - 1


def message_id(given: str) -> int | None:
    """Returns the ID, or None for all messages. Raises SystemExit with a sentence for any other text."""
    if given == "all":
        return None
    if given.isascii() and given.isdigit() and int(given) <= GREATEST_ID:
        return int(given)
    sys.exit("Which message do you want to retry? replay= takes an ID that `make outbox` shows, or all.")


async def replay(settings: Settings, given: str) -> str:
    """Returns a sentence that says what was done. Raises SystemExit when there is no such message."""
    chosen = message_id(given)
    database = patient_database(settings)
    try:
        async with database.transaction() as session:
            count = await OutboxStateRepository(session).replay(chosen)
    finally:
        await database.close()
    if chosen is not None and not count:
        sys.exit(f"No message {chosen} is parked.")
    return f"Messages to retry: {count}."


async def report(settings: Settings) -> str:
    """Returns the state of the outbox and its oldest parked messages, as text."""
    database = patient_database(settings)
    try:
        async with database.reading() as session:
            outbox = OutboxStateRepository(session)
            return "\n".join(lines(await outbox.state(), await outbox.parked(SHOWN)))
    finally:
        await database.close()


def lines(state: OutboxState, parked: Sequence[OutboxMessage]) -> Iterator[str]:
    """Yields the lines of the report, of which each parked message gets one."""
    oldest = f", the oldest since {state.oldest:%Y-%m-%d %H:%M:%S} UTC" if state.oldest else ""
    yield f"waiting  {state.waiting}{oldest}"
    yield f"failing  {state.failing} of these, which are tried again"
    yield f"parked   {state.parked}"
    for message in parked:
        key = f", key {message.key!r}" if message.key is not None else ""
        yield f"  {message.id}: {message.kind}{key}, {message.attempts} attempts: {message.error}"
    if state.parked > len(parked):
        yield "  ..."


if __name__ == "__main__":
    given = "".join(sys.argv[1:])
    say(replay(get_settings(), given) if given else report(get_settings()))
