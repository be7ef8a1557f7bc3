import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoServerError
from redis.retry import Retry

from app.core.config import ROOT
from scripts.local_valkey import local_valkey

# Prints the address of the server, and exits when it is told to.
USER = """
import sys
from pathlib import Path
from scripts.local_valkey import local_valkey
with local_valkey(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def start_user(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", USER, str(data)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_its_users_share_a_server_that_ends_with_the_last_and_keeps_its_data(tmp_path: Path) -> None:
    with start_user(tmp_path) as first, start_user(tmp_path) as second:
        assert first.stdout is not None
        assert second.stdout is not None
        url = first.stdout.readline().strip()
        assert second.stdout.readline().strip() == url

        first.communicate()
        with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as redis:
            redis.set("kept", "until the next time")
            second.communicate()
            with pytest.raises(NoServerError):
                redis.ping()

    with local_valkey(tmp_path) as url, Redis.from_url(url) as redis:
        assert redis.get("kept") == b"until the next time"
