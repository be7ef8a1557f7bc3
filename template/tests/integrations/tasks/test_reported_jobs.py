"""A task that fails is also reported to Sentry."""

from pathlib import Path

import pytest

from app.core.config import DISTRIBUTION
from tests import database as database_server
from tests.integrations.cache.valkey import Valkey
from tests.integrations.receiver import receiving
from tests.integrations.tasks.worker import SCHEDULER, WORKER, running
from tests.waiting import until

pytest.importorskip("app.integrations.sentry", reason="nothing is reported")

pytestmark = pytest.mark.xdist_group("server")


async def test_a_job_that_fails_is_reported(worker_id: str, tmp_path: Path) -> None:
    without_tables = await database_server.create(f"{worker_id}_jobs")
    broker = Valkey(tmp_path / "valkey")
    broker.start()
    with receiving() as receiver:
        dsn = f"http://key@{receiver.address}/7"
        with (
            running(WORKER, without_tables, broker.url, tmp_path / "worker.log", SENTRY_DSN=dsn),
            running(SCHEDULER, without_tables, broker.url, tmp_path / "scheduler.log"),
        ):
            await until(lambda: bool(receiver.posts))
    broker.stop()
    await database_server.drop(without_tables)

    assert any(f'"release":"{DISTRIBUTION}@'.encode() in post.body for post in receiver.posts)
    assert any(b"sqlalchemy.exc" in post.body for post in receiver.posts)
