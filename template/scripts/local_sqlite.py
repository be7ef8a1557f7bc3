"""A database in a file, for development."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def local_sqlite(file: Path) -> Iterator[str]:
    """The URL of the database in `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    yield f"sqlite:///{file}"
