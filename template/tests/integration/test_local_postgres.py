import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import ROOT
from scripts.local_postgres import local_postgres


def test_a_command_without_one_gets_a_local_server_that_ends_with_it(tmp_path: Path) -> None:
    program = "from scripts import local; from pathlib import Path; import sys; "
    program += (
        "local.LOCAL = Path(sys.argv[1]); sys.exit(local.main(['sh', '-c', 'echo $DATABASE_URL; exec sleep 60']))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql://")
        server = tmp_path / "postgres" / "postmaster.pid"
        assert server.exists()

        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM

    assert not server.exists()


@pytest.mark.parametrize("name", ["a b", "a&b", "a$b", "a'b", "a?b", "a;b", "a+b"])
def test_a_path_that_the_local_server_cannot_take_is_refused_with_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(SystemExit, match="set DATABASE_URL"), local_postgres(tmp_path / name):
        pass
