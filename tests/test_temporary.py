import os
import sys
from pathlib import Path

import pytest

from tests.conftest import run
from tests.temporary import own_folder

TEST = """
def test_something(tmp_path):
    assert tmp_path.exists()
"""


def test_a_run_has_a_folder_of_its_own_and_removes_those_of_runs_that_are_over(tmp_path: Path) -> None:
    alive, dead = tmp_path / "1", tmp_path / str(2**30)
    for folder in (alive, dead):
        folder.mkdir()

    assert own_folder(tmp_path) == tmp_path / str(os.getpid())
    assert list(tmp_path.iterdir()) == [alive]


def test_no_other_run_closes_our_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT")
    (tmp_path / "test_other.py").write_text(TEST)
    ours = [folder for folder in tmp_path.parents if folder.is_relative_to(tmp_path_factory.getbasetemp().parent)]
    for folder in ours:
        folder.chmod(0o755)

    run(sys.executable, "-m", "pytest", "-q", "test_other.py", cwd=tmp_path)

    assert {oct(folder.stat().st_mode & 0o777) for folder in ours} == {"0o755"}
