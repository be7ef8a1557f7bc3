import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.core.config import ROOT
from scripts.local_postgres import local_postgres


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yields a folder with a short path, which is not one of pytest: another run might make that unreadable."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_without_one_gets_a_local_server_that_ends_with_it(folder: Path, number: int) -> None:
    program = "from scripts import local; from pathlib import Path; import sys; "
    program += (
        "local.LOCAL = Path(sys.argv[1]); sys.exit(local.main(['sh', '-c', 'echo $DATABASE_URL; exec sleep 60']))"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        server = folder / "postgres" / "postmaster.pid"
        assert server.exists()

        process.send_signal(number)
        assert process.wait(100) == 128 + signal.SIGTERM

    assert not server.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_server_of_tests_ends_with_them(folder: Path, number: int) -> None:
    test = folder / "test_slow.py"
    test.write_text("import time\n\n\ndef test_slow():\n    print('started', flush=True)\n    time.sleep(60)\n")
    command = [sys.executable, "-m", "pytest", "-c", f"{ROOT}/pyproject.toml", "-p", "tests.conftest", "-s", str(test)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "PYTEST_"))}
    environment["TMPDIR"] = str(folder)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("started" in line for line in process.stdout)
        assert list(folder.glob("*/data/postmaster.pid"))

        process.send_signal(number)
        process.stdout.read()

    assert not list(folder.glob("*/data"))


def test_a_user_that_was_killed_keeps_the_server_from_nothing(folder: Path) -> None:
    data = folder / "data"
    with local_postgres(data):
        pass
    (data / ".handle_pids.json").write_text(f"[{2**30}]", encoding="utf-8")

    with local_postgres(data):
        assert (data / "postmaster.pid").exists()

    assert not (data / "postmaster.pid").exists()


@pytest.mark.parametrize("name", ["a b", "a&b", "a$b", "a'b", "a?b", "a;b", "a+b"])
def test_a_path_that_the_local_server_cannot_take_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(SystemExit, match="set DATABASE_URL"), local_postgres(tmp_path / name):
        pass
