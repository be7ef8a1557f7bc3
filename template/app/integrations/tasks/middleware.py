"""The middleware of every task, in the process that sends it and in the one that runs it."""

from contextvars import ContextVar
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any, override

from loguru import logger
from taskiq import TaskiqMessage, TaskiqMiddleware, TaskiqResult

from app.core.config import get_settings
from app.core.context import request_id

_started_at: ContextVar[float] = ContextVar("started_at")


class LogMiddleware(TaskiqMiddleware):
    """Writes one line for each task that succeeded. All lines of a task carry the ID of the request that sent it."""

    @override
    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        message.labels["request_id"] = request_id.get() or ""
        return message

    @override
    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        request_id.set(message.labels.get("request_id") or None)
        _started_at.set(perf_counter())
        return message

    @override
    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        if not result.is_err:
            duration = round((perf_counter() - _started_at.get()) * 1000, 2)
            logger.bind(job=message.task_name, duration_ms=duration).info("job")


class TimeLimitMiddleware(TaskiqMiddleware):
    """Gives a task JOB_TIMEOUT seconds, unless it has a label `timeout`. Taskiq can stop coroutines only."""

    @override
    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        task = self.broker.find_task(message.task_name)
        if task is not None and iscoroutinefunction(task.original_func):
            message.labels.setdefault("timeout", get_settings().JOB_TIMEOUT)
        return message
