"""A scheduled task is sent once a period, however many schedulers run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from taskiq import ScheduledTask, TaskiqScheduler
from taskiq.exceptions import SendTaskError

from app.integrations.tasks.schedule import SharedSchedule
from app.integrations.tasks.stream import StreamBroker
from tests.integrations.cache.valkey import Valkey

pytestmark = pytest.mark.xdist_group("server")

# The return values of its methods have too many types to check.
type Redis = Any

SCHEDULES: list[dict[str, object]] = [
    {"interval": timedelta(hours=1)},
    {"cron": "* * * * *"},
    {"time": datetime(2026, 1, 1, tzinfo=UTC)},
]


@pytest.fixture
def _example(broker: StreamBroker) -> Iterator[None]:
    async def example() -> None: ...

    broker.register_task(example, "example", schedule=[dict(schedule) for schedule in SCHEDULES])
    yield
    del broker.local_task_registry["example"]


async def start(broker: StreamBroker) -> tuple[TaskiqScheduler, dict[str, ScheduledTask]]:
    """Returns a scheduler that has just started, and its schedules of the example."""
    source = SharedSchedule(broker)
    await source.startup()
    found = {task.schedule_id: task for task in await source.get_schedules() if task.task_name == "example"}
    return TaskiqScheduler(broker, [source]), found


async def send_due(broker: StreamBroker, identifier: str) -> None:
    """Has a new scheduler send a task that is due."""
    scheduler, schedules = await start(broker)
    await scheduler.on_ready(scheduler.sources[0], schedules[identifier])


@pytest.mark.usefixtures("_example")
@pytest.mark.parametrize("identifier", ["example", "example:1", "example:2"], ids=["interval", "cron", "time"])
async def test_two_schedulers_send_it_once(broker: StreamBroker, redis: Redis, identifier: str) -> None:
    await send_due(broker, identifier)
    await send_due(broker, identifier)

    assert await redis.xlen("jobs") == 1


@pytest.mark.usefixtures("_example")
async def test_a_new_period_begins_when_the_last_one_is_over(broker: StreamBroker, redis: Redis) -> None:
    await send_due(broker, "example")
    assert 3000 < await redis.ttl("schedule:example") <= 3600

    await redis.delete("schedule:example")
    await send_due(broker, "example")

    assert await redis.xlen("jobs") == 2


@pytest.mark.usefixtures("_example")
async def test_an_interval_is_looked_at_each_second_so_that_no_outage_costs_a_period(broker: StreamBroker) -> None:
    _, schedules = await start(broker)

    assert schedules["example"].interval == 1


@pytest.mark.usefixtures("_example")
async def test_what_could_not_be_sent_is_sent_soon(
    broker: StreamBroker, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(broker, "kick", fail)

    with pytest.raises(SendTaskError):
        await send_due(broker, "example")

    assert 0 < await redis.ttl("schedule:example") <= 10


@pytest.mark.usefixtures("_example")
async def test_an_outage_is_logged_once_and_is_no_error_of_the_scheduler(
    broker: StreamBroker, valkey: Valkey, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler, schedules = await start(broker)
    valkey.stop()
    for _ in range(2):
        await scheduler.on_ready(scheduler.sources[0], schedules["example"])
    valkey.start()
    await scheduler.on_ready(scheduler.sources[0], schedules["example"])

    log = capsys.readouterr().out
    assert log.count("the broker is not available") == 1
    assert log.count("the broker is available again") == 1
