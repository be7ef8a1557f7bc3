"""The device that sent a request, as far as the request describes it."""

from dataclasses import dataclass

# The user agents of browsers fit. The column has the same length.
LONGEST_USER_AGENT = 200
# An IPv6 address with the name of an interface.
LONGEST_CLIENT = 64


@dataclass(frozen=True)
class Device:
    """Where a session is used: what the client calls itself, and its address."""

    user_agent: str | None = None
    client: str | None = None


UNKNOWN = Device()


def device_of(user_agent: str, client: str) -> Device:
    """Shortens both values to one line each: a client may send any user agent, and a proxy any address."""
    return Device(_line(user_agent, LONGEST_USER_AGENT), _line(client, LONGEST_CLIENT))


def _line(text: str, length: int) -> str | None:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:length].rstrip() or None
