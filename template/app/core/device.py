"""The device that sent a request, as far as the request describes it."""

from dataclasses import dataclass

# What browsers call themselves fits; the column has the same length.
LONGEST_USER_AGENT = 200
# An IPv6 address with the name of an interface.
LONGEST_CLIENT = 64


@dataclass(frozen=True)
class Device:
    """Where a session is used: what the software calls itself, and the address of the client."""

    user_agent: str | None = None
    client: str | None = None


UNKNOWN = Device()


def device_of(user_agent: str, client: str) -> Device:
    """Both as one short line each: the client chooses the first, and a proxy may pass on anything as the second."""
    return Device(_line(user_agent, LONGEST_USER_AGENT), _line(client, LONGEST_CLIENT))


def _line(text: str, length: int) -> str | None:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:length].rstrip() or None
