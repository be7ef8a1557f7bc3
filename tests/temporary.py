"""A folder of temporary files for one run of the tests alone.

Pytest's own is shared by all runs of a user, and each closes it to other users when it begins. Where we are root, the
PostgreSQL of another run is such a user, and has its data and its programs in there.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

ROOT = Path(gettempdir()) / f"strata-{os.getuid()}"


def own_folder(root: Path = ROOT) -> Path:
    """Where it may be made. What a run has left goes when the next one begins after it."""
    root.mkdir(exist_ok=True)
    for folder in root.iterdir():
        if not _is_alive(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    return root / str(os.getpid())


def _is_alive(process: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
