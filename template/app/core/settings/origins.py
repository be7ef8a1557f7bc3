"""Normalizes origins to the form that browsers send (RFC 6454, 6.2); any other form would never match."""

import re
from ipaddress import IPv6Address

ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(?::(?P<port>\d{0,5}))?/?",
    re.ASCII,
)
DEFAULT_PORTS = {"http": 80, "https": 443}
HIGHEST_PORT = 65535

# Any origin, and the opaque origin that a browser sends for local files and sandboxed frames.
SPECIAL = frozenset({"*", "null"})


def origin(value: str) -> str:
    """Returns the origin in the form that browsers send. Raises ValueError if the value cannot be an origin."""
    text = value.strip().lower()
    if text in SPECIAL:
        return text
    found = ORIGIN.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if not found or port > HIGHEST_PORT:
        raise ValueError("must look like https://app.example.com or http://localhost:3000, without a path")
    host = f"[{IPv6Address(found['ipv6'])}]" if found["ipv6"] else found["host"]
    is_default = port in (0, DEFAULT_PORTS.get(found["scheme"]))
    return f"{found['scheme']}://{host}" + ("" if is_default else f":{port}")
