"""Deprecated: jobs as they were written before 0.4.0. Removed in 0.6.0: docs/tasks.md shows `@broker.task`."""

import sys
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, validate_call
from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import TaskiqDepends

from app.integrations.tasks.broker import broker
from app.integrations.tasks.deps import get_session
from app.integrations.tasks.discovery import discover_tasks

# It gets a session in one transaction, and its arguments by name.
type Work = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """A function as a job of before 0.4.0."""

    name: str
    work: Work
    # How often it is started by itself, if at all.
    every: timedelta | None = None


def job(*, every: timedelta | None = None) -> Callable[[Work], Job]:
    """Registers a function as a task, and returns it as a job."""
    warnings.warn("app.tasks.job is now broker.task; 0.6.0 removes the old name.", DeprecationWarning, stacklevel=2)

    def decorate(work: Work) -> Job:
        made = Job(work.__name__, work, every)
        _register(made)
        return made

    return decorate


def discover_jobs() -> list[Job]:
    """Returns the jobs of `app.tasks`."""
    discover_tasks()
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("app.tasks.")]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Job)]
    return list({job.name: job for job in found}.values())


def _register(job: Job) -> None:
    work = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(job.work)

    async def run(session: Annotated[AsyncSession, TaskiqDepends(get_session)], **arguments: Any) -> None:
        await work(session, **arguments)

    labels = {"schedule": [{"interval": job.every}]} if job.every else {}
    broker.register_task(run, job.name, **labels)
