"""Measures the backend in the current folder beside the reference apps, on the PostgreSQL of DATABASE_URL."""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2

from benchmarks import report
from benchmarks.load import CONNECTIONS, Call, Load, drive, require_generator
from benchmarks.servers import Server, log_in, serving
from scripts.demo import step

APPS = ("backend", "bare", "limit")
# What a quick look is at; a search and a sign-in do the same for all, and take their time.
QUICK = ("health", "get", "authenticated read", "list of 20", "create", "patch")
ROWS = 1_000
# Of them argon2 lets few through at a time, and each takes its time.
LOGIN_CONNECTIONS = 4
CREDENTIALS = {"username": "admin@example.com", "password": secrets.token_urlsafe(12)}
LOG = Path("server.log")

ARTICLES = """
INSERT INTO articles (id, title, body, views, created_at, updated_at)
SELECT gen_random_uuid(), 'Article ' || n, repeat('Once upon a time. ', 10), n,
       now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series($1::int, $2::int) AS n
"""
USERS = """
INSERT INTO users (id, email, password_hash, full_name, created_at, updated_at)
SELECT gen_random_uuid(), 'user' || n || '@example.com', 'none', 'User ' || n,
       now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series($1::int, $2::int) AS n
"""
LIST = "/api/v1/articles?limit=20"
FORGET_CREATED = "DELETE FROM articles WHERE title = 'A new article'"


@dataclass(frozen=True)
class Sample:
    """One app, measured with one request in one round."""

    load: Load
    cpu: float  # of the server, microseconds a request


def main() -> None:
    """Measures, and prints the result. Without `--quick`, it measures more and keeps the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    own = cores()[:1]
    seed()
    with ExitStack() as stack:
        step("Starting the backend, the bare app and the limit")
        servers = {name: stack.enter_context(serving(name, LOG, cores=own)) for name in APPS}
        calls = {
            name: call
            for name, call in requests_of(servers).items()
            if (name in QUICK or not quick) and not (call.varies and require_generator() != "wrk")
        }
        require_same_responses(servers, calls)
        result: dict[str, Any] = {
            "environment": report.environment(Path(".venv/bin/python")),
            "startup_seconds": servers["backend"].seconds_to_start,
            "requests": side_by_side(servers, calls, rounds=2 if quick else 6, seconds=1 if quick else 2),
            "memory_megabytes": {name: server.memory() for name, server in servers.items()},
        }
        if not quick:
            result["connections"] = by_connections(servers, calls["get"])
            result["users"] = by_users(servers["backend"])
    if not quick:
        result["routes"] = by_routes(calls["get"])
        result["workers"] = by_workers(calls["get"])
    if not quick:
        report.keep(result)
    print()
    print(report.text(result))


def cores() -> list[int]:
    """Returns the cores of this machine, if they are known. The first one is reserved for a server."""
    return [int(core) for core in os.environ.get("BENCH_CORES", "").split(",") if core]


def seed() -> None:
    """Writes the administrator and the articles into the database."""
    step(f"Writing {ROWS:,} articles")
    admin = {"FIRST_ADMIN_EMAIL": CREDENTIALS["username"], "FIRST_ADMIN_PASSWORD": CREDENTIALS["password"]}
    command = [".venv/bin/python", "-m", "scripts.seed"]
    subprocess.run(command, env=os.environ | admin, check=True, stdout=subprocess.DEVNULL)
    execute(ARTICLES, 1, ROWS)
    execute("ANALYZE")


def execute(statement: str, *values: object) -> Any:
    """Runs an SQL statement, and returns the first value of its first row, or None."""

    async def run() -> Any:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


def requests_of(servers: Mapping[str, Server]) -> dict[str, Call]:
    """Returns the calls by name. They need the administrator and the articles that `seed` wrote."""
    bearer = {"Authorization": f"Bearer {log_in(servers['backend'], CREDENTIALS)}"}
    one = execute("SELECT id::text FROM articles WHERE views = 500")
    many = execute("SELECT string_agg(id::text, ' ') FROM articles WHERE views < 500").split()
    article = json.dumps({"title": "A new article", "body": "Once upon a time. " * 10, "views": 1})
    create = Call("/api/v1/articles", "POST", article, bearer | {"Content-Type": "application/json"})
    form = str(httpx2.QueryParams(CREDENTIALS))
    return {
        "health": Call("/api/v1/health"),
        "get": Call(f"/api/v1/articles/{one}"),
        "authenticated read": Call("/api/v1/users/me", headers=bearer),
        "list of 20": Call(LIST),
        "search": Call("/api/v1/articles?search=article+77"),
        "filtered list": Call("/api/v1/articles?views__gte=900&limit=20"),
        "page by cursor": Call(f"{LIST}&after={{next}}"),
        "create": create,
        "create with a key": replace(create, numbered="Idempotency-Key"),
        # The delivery is in it: it is the same server's, at the same time. The other apps only create.
        "create with a message": replace(create, path="/api/v1/articles-with-message"),
        # Of many articles, so that no request waits for the row of another.
        "patch": Call(
            f"/api/v1/articles/{one}",
            "PATCH",
            json.dumps({"title": "Changed [<id>] times"}),
            bearer | {"Content-Type": "application/json"},
            [f"/api/v1/articles/{each}" for each in many],
        ),
        "login": Call("/api/v1/auth/login", "POST", form, {"Content-Type": "application/x-www-form-urlencoded"}),
    }


def require_same_responses(servers: Mapping[str, Server], calls: Mapping[str, Call]) -> None:
    """Requires that all apps send the same responses, so that none is fast by doing less."""
    for name, call in calls.items():
        responses = [
            httpx2.request(
                call.method,
                server.address + path_of(server, call),
                content=call.body,
                headers=dict(call.headers),
                timeout=30,
            ).raise_for_status()
            for server in servers.values()
        ]
        bodies = [response.json() for response in responses]
        own = call.method != "GET" or name == "health"
        for body in bodies:  # the apps write different cursors
            body["next"] = bool(body.get("next"))
        if any((body.keys() < bodies[1].keys()) if own else (body != bodies[1]) for body in bodies):
            sys.exit(
                f"The apps answer {name} differently:\n" + "\n".join(response.text[:500] for response in responses)
            )


def path_of(server: Server, call: Call) -> str:
    """Returns the path of the call, with the cursor after this server's first page if it takes one."""
    if "{next}" not in call.path:
        return call.path
    following = httpx2.get(server.address + LIST, timeout=30).raise_for_status().json()["next"]
    return call.path.format(next=quote(following, safe=""))


def side_by_side(
    servers: Mapping[str, Server], calls: Mapping[str, Call], *, rounds: int, seconds: int
) -> dict[str, dict[str, Any]]:
    """Measures round by round and app by app, since the other load of the machine changes by the minute."""
    samples: dict[str, dict[str, list[Sample]]] = {name: {app: [] for app in servers} for name in calls}
    for number in range(rounds):
        step(f"Round {number + 1} of {rounds}")
        for name, call in calls.items():
            connections = LOGIN_CONNECTIONS if name == "login" else CONNECTIONS
            for app, server in servers.items():
                samples[name][app].append(sample(server, call, seconds=seconds, connections=connections))
                if name == "login":  # what is still hashed when the load ends takes the core from whoever comes next
                    time.sleep(1)
        # What the creations of this round left would make the next one's lists another work.
        execute(FORGET_CREATED)
    return {name: summary(by_app) for name, by_app in samples.items()}


def sample(server: Server, call: Call, *, seconds: int, connections: int = CONNECTIONS) -> Sample:
    """Measures one server. Raises SystemExit with one sentence if any request fails."""
    before = server.cpu()
    load = drive(server.address, replace(call, path=path_of(server, call)), seconds=seconds, connections=connections)
    if load.failed:
        sys.exit(f"{server.name} failed {load.failed} of {load.requests} requests to {call.path}.")
    return Sample(load, (server.cpu() - before) / max(load.requests, 1) * 1e6)


def summary(by_app: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    """Returns the medians of each app, and the ratios of the backend to the others, round by round."""
    apps = {
        app: {
            "rate": median(sample.load.rate for sample in samples),
            "p50": median(sample.load.p50 for sample in samples),
            "p99": median(sample.load.p99 for sample in samples),
            "cpu": median(sample.cpu for sample in samples),
            "client_cores": max(sample.load.client_cores for sample in samples),
        }
        for app, samples in by_app.items()
    }
    ratios = {
        app: sorted(ours.load.rate / other.load.rate for ours, other in zip(by_app["backend"], samples, strict=True))
        for app, samples in by_app.items()
        if app != "backend"
    }
    return {"apps": apps, "ratios": ratios}


def by_connections(servers: Mapping[str, Server], call: Call) -> dict[int, dict[str, Any]]:
    """Returns the requests per second and the p99 in milliseconds, by the number of connections and by app."""
    step("From 1 to 512 connections")
    result: dict[int, dict[str, Any]] = {}
    for connections in (1, 8, 32, 128, 512):
        loads = {
            # Long enough for what 512 requests in progress hold back at the end to count for little.
            name: sample(servers[name], call, seconds=6, connections=connections).load
            for name in ("backend", "bare")
        }
        result[connections] = {name: {"rate": load.rate, "p99": load.p99} for name, load in loads.items()}
    return result


def by_users(server: Server) -> dict[int, dict[str, float]]:
    """Returns the milliseconds of one request that nothing else disturbs."""
    bearer = {"Authorization": f"Bearer {log_in(server, CREDENTIALS)}"}

    def deep(users: int) -> str:
        return f"count=false&limit=100&page={min(users // 100, 10_000) - 1}"

    def cursor(users: int) -> str:
        response = httpx2.get(f"{server.address}/api/v1/users?{deep(users)}", headers=bearer, timeout=30)
        return str(response.raise_for_status().json()["next"])

    queries: dict[str, Callable[[int], str]] = {
        "first page": lambda _: "count=false",
        "first page and total": lambda _: "",
        "deep page": deep,
        "deep page by cursor": lambda users: f"count=false&limit=100&after={cursor(users)}",
        "first page of 100": lambda _: "count=false&limit=100",
        "search": lambda users: f"count=false&search=user{users - 1}%40",
    }
    result: dict[int, dict[str, float]] = {}
    written = 0
    for users in (1_000, 10_000, 100_000, 1_000_000):
        step(f"{users:,} users")
        execute(USERS, written + 1, users)
        execute("VACUUM ANALYZE users")
        written = users
        result[users] = {
            name: drive(
                server.address, Call(f"/api/v1/users?{query(users)}", headers=bearer), seconds=3, connections=1
            ).p50
            for name, query in queries.items()
        }
    return result


def by_routes(call: Call) -> dict[int, dict[str, float]]:
    """Measures the same request behind the routers of other resources."""
    step("From the routes that there are to 200")
    routers = Path("app/api/v1")
    article = (routers / "article_router.py").read_text(encoding="utf-8")
    fillers = [(routers / f"a{number:03}_router.py", f'prefix="/articles-{number:03}"') for number in range(36)]
    samples: list[list[Sample]] = [[], []]
    counts = [count_routes()]
    with ExitStack() as stack:
        servers = [stack.enter_context(serving("backend", LOG, cores=cores()[:1]))]
        for path, prefix in fillers:
            path.write_text(article.replace('prefix="/articles"', prefix), encoding="utf-8")
        counts.append(count_routes())
        servers.append(stack.enter_context(serving("backend", LOG, cores=cores()[:1])))
        for _ in range(3):
            for server, taken in zip(servers, samples, strict=True):
                taken.append(sample(server, call, seconds=3))
    for path, _ in fillers:
        path.unlink()
    return {
        count: {"rate": median(s.load.rate for s in taken), "cpu": median(s.cpu for s in taken)}
        for count, taken in zip(counts, samples, strict=True)
    }


def count_routes() -> int:
    """Returns the number of routes of the backend in the current folder."""
    code = "from app.main import app; print(sum(map(len, app.openapi()['paths'].values())))"
    environment = os.environ | {"LOG_LEVEL": "ERROR"}
    return int(
        subprocess.run([".venv/bin/python", "-c", code], env=environment, capture_output=True, check=True).stdout
    )


def by_workers(call: Call) -> dict[int, dict[str, float]]:
    """Measures workers without a core of their own, since two of them would share it."""
    step("From 1 to 2 workers")
    result = {}
    for workers in (1, 2):
        with serving("backend", LOG, workers=workers, cores=cores()) as server:
            taken = sample(server, call, seconds=3)
            result[workers] = {"rate": taken.load.rate, "p99": taken.load.p99}
    return result


if __name__ == "__main__":
    main()
