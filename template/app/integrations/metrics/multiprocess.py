"""The folder in which the workers of one server count together.

This module is separate from `registry.py`, since Prometheus' library looks for the folder when it is imported.
"""

import atexit
import os
import shutil
import tempfile

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(workers: int) -> None:
    """Gives the workers that this process starts a folder to count in, which is removed when this process ends.

    A single process needs none: it counts in memory.
    """
    if is_shared() or workers == 1:
        return
    folder = tempfile.mkdtemp(prefix="metrics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[VARIABLE] = folder


def is_shared() -> bool:
    """Returns whether several processes share their metrics in a folder."""
    return VARIABLE in os.environ
