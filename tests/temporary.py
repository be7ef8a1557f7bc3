"""Makes a folder of temporary files for one run of the tests only.

All runs of a user share pytest's own folder, and each run makes it unreadable to other users when it begins. As root,
the PostgreSQL of another run is such a user, with its data and programs in that folder.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

ROOT = Path(gettempdir()) / f"strata-{os.getuid()}"


def own_folder(root: Path = ROOT) -> Path:
    """Makes it, and removes the folders that finished runs have left."""
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
