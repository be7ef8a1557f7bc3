"""Hides one program from PATH, but none of the programs beside it."""

import os
from pathlib import Path


def path_without(program: str, path: str, directory: Path) -> str:
    """Returns `path`. Each folder with the program is replaced by one in `directory`, with links to the rest."""
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
