"""Reads DATABASE_URL for a file, with or without the name of a driver."""

import re

from sqlalchemy import make_url

SCHEME = re.compile(r"^sqlite(\+\w+)?:///(?=[^:?])", re.IGNORECASE)

# The parameters that SQLAlchemy passes to the driver. With `uri=true`, SQLite reads parameters of its own.
PARAMETERS = frozenset(
    {"autocommit", "cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri"}
)


def async_url(value: str) -> str:
    """Returns the URL as SQLAlchemy takes it. Raises ValueError, which says what is wrong and repeats no value."""
    text, schemes = SCHEME.subn("sqlite+aiosqlite:///", value.strip())
    if not schemes:
        raise ValueError("must start with sqlite:/// and name a file")
    unknown = make_url(text).query.keys() - PARAMETERS
    if unknown and "uri" not in make_url(text).query:
        raise ValueError(f"has a parameter that the driver does not take: {min(unknown)}")
    return text
