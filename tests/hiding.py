"""A PATH without one program, and with all that lies beside it."""

import os
from pathlib import Path


def path_without(program: str, path: str, directory: Path) -> str:
    """Folders of `path` that hold the program are replaced by folders in `directory`, of links to all the rest."""
    folders = [Path(folder) for folder in path.split(os.pathsep)]
    return os.pathsep.join(str(_without(program, folder, directory / str(n))) for n, folder in enumerate(folders))


def _without(program: str, folder: Path, copy: Path) -> Path:
    if not (folder / program).exists():
        return folder
    copy.mkdir(parents=True)
    for file in folder.iterdir():
        if file.name != program:
            (copy / file.name).symlink_to(file)
    return copy
