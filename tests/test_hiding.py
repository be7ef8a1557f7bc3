"""Our own tests run wherever uv is installed: nowhere, in the folder of Python, or in one of the user's folders."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from scripts.new import ROOT
from tests.conftest import run
from tests.hiding import path_without

ARRANGEMENTS = {
    "absent": {"bin": ["python3"]},
    "beside Python": {"bin": ["python3", "uv"]},
    "in a folder of the user": {".local/bin": ["uv"], "bin": ["python3"]},
}
SYSTEM = os.pathsep.join(folder for folder in os.defpath.split(os.pathsep) if folder)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_uv_is_hidden_and_python_is_not(arrangement: dict[str, list[str]], tmp_path: Path) -> None:
    programs = {"python3": sys.executable, "uv": shutil.which("false")}
    for folder, names in arrangement.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).symlink_to(str(programs[name]))
    path = os.pathsep.join([*(str(tmp_path / folder) for folder in arrangement), SYSTEM])

    hidden = path_without("uv", path, tmp_path / "hidden")

    assert shutil.which("uv", path=hidden) is None
    run("python3", "-c", "import venv", cwd=tmp_path, environment={"PATH": hidden})
    assert run("make", "--eval=print: ; @echo $(UV)", "print", cwd=ROOT, environment={"PATH": hidden}).strip() == (
        ".local/uv/bin/uv"
    )
