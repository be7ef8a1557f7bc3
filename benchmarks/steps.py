"""Measures what each step gains: the backend in the current folder, with and without the step."""

import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import Call
from benchmarks.measure import FORGET_CREATED, LOG, QUICK, cores, execute, requests_of, sample, seed
from benchmarks.report import table
from benchmarks.servers import Server, serving
from scripts.demo import step

ROUNDS = 3
SECONDS = 2


@dataclass(frozen=True)
class Step:
    """The text of a file, and the text without the step."""

    file: str
    old: str
    new: str


STEPS = {
    "pure ASGI instead of one BaseHTTPMiddleware": Step(
        "app/middleware/response.py",
        "class ResponseMiddleware:",
        """class ResponseMiddleware(__import__("starlette.middleware.base").middleware.base.BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        request.scope[_STATUS] = response.status_code
        response.headers["X-Request-ID"] = request_id.get() or ""
        response.headers.update({name.decode(): value.decode() for name, value in SECURITY_HEADERS})
        return response


class _Unused:""",
    ),
    "providers that are `async`": Step(
        "app/api/v1/article_router.py", "async def get_article_service", "def get_article_service"
    ),
    "reads without a transaction": Step(
        "app/core/database.py",
        "async_sessionmaker(self._engine, class_=ReadSession,",
        "async_sessionmaker(write, class_=ReadSession,",
    ),
    "tokens that are verified once": Step(
        "app/core/security.py", "lru_cache(CACHED_TOKENS)(self._verify)", "self._verify"
    ),
    "closed connections seen without a round trip": Step(
        "app/core/database.py",
        "            pool_recycle=1800,\n",
        "            pool_recycle=1800, pool_pre_ping=True,\n",
    ),
    "statements that are built once": Step(
        "app/repository/base.py", "        if self._statements is None or", "        if True or"
    ),
    "garbage that is collected less": Step("app/main.py", "    gc.freeze()\n    gc.set_threshold(10_000)\n", ""),
    "the commit before the response's start": Step(
        "app/api/deps.py", 'Depends(get_session, scope="function")', 'Depends(get_session, scope="request")'
    ),
}


def main() -> None:
    """Prints the ratios of each step, for the requests of `QUICK`."""
    seed()
    backend = Path.cwd()
    rows = []
    with ExitStack() as stack:
        whole = stack.enter_context(serving("backend", LOG, cores=cores()[:1]))
        calls = {name: call for name, call in requests_of({"backend": whole}).items() if name in QUICK}
        for name, taken in STEPS.items():
            step(name)
            copy = backend.with_name("without")
            without(taken, copy)
            with chdir(copy), serving("backend", LOG, cores=cores()[:1]) as server:
                rows.append((name, *ratios(calls, whole, server)))
            shutil.rmtree(copy)
    print()
    print(table(("step", *QUICK), iter(rows)))


def without(taken: Step, copy: Path) -> None:
    """Removes a step. Raises SystemExit if the file does not contain the text of the step."""
    shutil.copytree("app", copy / "app")
    shutil.copy("pyproject.toml", copy)
    (copy / ".venv").symlink_to(Path(".venv").resolve())
    file = copy / taken.file
    text = file.read_text(encoding="utf-8")
    if text.count(taken.old) != 1:
        sys.exit(f"{taken.file} does not contain exactly once: {taken.old}")
    file.write_text(text.replace(taken.old, taken.new), encoding="utf-8")


def ratios(calls: Mapping[str, Call], whole: Server, server: Server) -> list[str]:
    """Returns the ratio of the requests per second with and without the step: the median of the rounds."""
    rates: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            with_step, without_step = (sample(one, call, seconds=SECONDS).load.rate for one in (whole, server))
            rates[name].append(with_step / without_step)
        execute(FORGET_CREATED)
    return [f"{median(rates[name]):.2f}" for name in calls]


if __name__ == "__main__":
    main()
