"""What a job is, and which ones there are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules

import app.tasks as package

# It gets a session in one transaction, which is committed before the job counts as done, and its arguments by name.
type Work = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Job:
    """Done at least once: what it does a second time must change nothing."""

    name: str
    work: Work
    # How often it is started by itself, if at all.
    every: timedelta | None = None


def job(*, every: timedelta | None = None) -> Callable[[Work], Job]:
    """Makes a job of a function."""
    return lambda work: Job(work.__name__, work, every)


def discover_jobs() -> list[Job]:
    names = sorted(module.name for module in iter_modules(package.__path__) if module.name.endswith("_job"))
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Job)]
    return list({job.name: job for job in found}.values())
