"""A database in a file, for development."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def local_sqlite(file: Path) -> Iterator[str]:
    """Yields the URL of the database in `file`. Raises SystemExit if no URL can name that path."""
    if "?" in str(file):
        sys.exit(f"The URL of {file} would end at the question mark: rename the folder, or set DATABASE_URL.")
    file.parent.mkdir(parents=True, exist_ok=True)
    yield f"sqlite:///{file}"
