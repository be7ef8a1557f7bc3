"""The schedules of the tasks, shared by all schedulers."""

from datetime import UTC, datetime, timedelta
from typing import override

from redis.asyncio import Redis
from taskiq import ScheduledTask
from taskiq.exceptions import ScheduledTaskCancelledError
from taskiq.schedule_sources import LabelScheduleSource

from app.integrations.cache.client import OUTAGES
from app.integrations.tasks.stream import Outage, StreamBroker

# How long a scheduler that is the first in a period has to send the task, before another one tries.
LEASE = timedelta(seconds=10)
# Longer than the clocks of two schedulers differ.
MINUTE_IS_OVER = timedelta(hours=1)
LONG_AGO = timedelta(days=365)


class SharedSchedule(LabelScheduleSource):
    """Sends each task that is due once, however many schedulers run: the first one to say so in Valkey sends it."""

    broker: StreamBroker

    def __init__(self, broker: StreamBroker) -> None:
        super().__init__(broker)
        self._periods: dict[str, timedelta] = {}
        self._outage = Outage()

    @override
    async def startup(self) -> None:
        self._name_schedules()
        await super().startup()
        for identifier, task in self.schedules.items():
            if task.interval is not None and task.cron is None and task.time is None:
                self._periods[identifier] = _as_timedelta(task.interval)
                # Valkey knows when the task was last sent. Asking each second sends it soon after an outage as well.
                task.interval = 1

    @override
    async def pre_send(self, task: ScheduledTask) -> None:
        """Raises ScheduledTaskCancelledError when another scheduler has sent the task in this period."""
        key, lifetime = _turn(task)
        try:
            is_first = await self._client.set(key, "", nx=True, ex=lifetime)
        except OUTAGES as error:
            self._outage.begin(error)
            raise ScheduledTaskCancelledError from error
        self._outage.end()
        if not is_first:
            raise ScheduledTaskCancelledError

    @override
    async def post_send(self, task: ScheduledTask) -> None:  # type: ignore[override]  # Taskiq awaits either
        super().post_send(task)
        if task.schedule_id in self._periods:
            await self._client.expire(_turn(task)[0], self._periods[task.schedule_id])

    @property
    def _client(self) -> Redis:
        return Redis(connection_pool=self.broker.connection_pool)

    def _name_schedules(self) -> None:
        """Gives a schedule the same name in all schedulers; Taskiq's names would be random."""
        for name, task in self.broker.get_all_tasks().items():
            for number, schedule in enumerate(task.labels.get("schedule", ())):
                schedule.setdefault("schedule_id", f"{name}:{number}" if number else name)


def _as_timedelta(interval: int | timedelta) -> timedelta:
    return interval if isinstance(interval, timedelta) else timedelta(seconds=interval)


def _turn(task: ScheduledTask) -> tuple[str, timedelta]:
    """Returns the key of this turn of the schedule, and how long it is kept."""
    key = f"schedule:{task.schedule_id}"
    if task.cron is not None:
        return f"{key}:{datetime.now(UTC):%Y-%m-%dT%H:%M}", MINUTE_IS_OVER
    if task.time is not None:
        return f"{key}:{task.time.isoformat()}", LONG_AGO
    return key, LEASE
