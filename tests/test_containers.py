"""The image and the Compose files work: an engine or its stand-in builds, starts, stops and breaks them."""

import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.demo import free_port
from tests.conftest import NewDocker, Render, run, uv, wait_until

pytestmark = pytest.mark.slow


ADMIN = {"FIRST_ADMIN_EMAIL": "admin@example.com", "FIRST_ADMIN_PASSWORD": "correct horse battery"}
SIGN_IN = {"username": ADMIN["FIRST_ADMIN_EMAIL"], "password": ADMIN["FIRST_ADMIN_PASSWORD"]}


@dataclass(frozen=True)
class Stack:
    """A rendered project, and the name under which its containers run."""

    folder: Path
    environment: dict[str, str]

    @property
    def image(self) -> str:
        return self.environment["IMAGE"]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}/api/v1"

    def make(self, *arguments: str, status: int = 0) -> str:
        return run("make", *arguments, cwd=self.folder, status=status, environment=self.environment)

    def up(self, *arguments: str) -> str:
        """Starts the stack, and retries once if the stand-in's name server did not respond, which happens at times."""
        try:
            return self.make("docker-up", *arguments)
        except AssertionError as error:
            if "PATH" not in self.environment or "the database does not respond" not in str(error):
                raise
        return self.make("docker-up", *arguments)

    def docker(self, *arguments: str, status: int = 0) -> str:
        return run("docker", *arguments, cwd=self.folder, status=status, environment=self.environment)

    def name(self, service: str, number: int = 1) -> str:
        return f"{self.environment['COMPOSE_PROJECT_NAME']}-{service}-{number}"

    def inside(self, service: str, *command: str, status: int = 0) -> str:
        return self.docker("exec", self.name(service), *command, status=status)

    def sql(self, statement: str) -> str:
        """Returns the last value that the statement finds."""
        psql = ("psql", "--username", "app", "--tuples-only", "--no-align", "--command", statement)
        return self.inside("database", *psql).splitlines()[-1]

    def inspect(self, name: str, template: str) -> Any:
        return json.loads(self.docker("inspect", "--format", f"{{{{json {template}}}}}", name).splitlines()[-1])

    def stop(self, service: str, number: int = 1) -> int:
        """Stops a container, and returns its exit code, which is 137 if it had to be killed."""
        self.docker("stop", "-t", "30", self.name(service, number))
        code: int = self.inspect(self.name(service, number), ".State.ExitCode")
        return code

    def log(self, service: str, number: int = 1) -> list[dict[str, Any]]:
        """Returns the lines of its log, each of which must be a JSON object."""
        return [json.loads(line) for line in self.docker("logs", self.name(service, number)).splitlines()]

    def set(self, **settings: str) -> None:
        """Replaces these settings in `.env`."""
        env = self.folder / ".env"
        kept = [line for line in env.read_text().splitlines() if line.partition("=")[0] not in settings]
        env.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n")


NewStack = Callable[..., Stack]


@pytest.fixture(scope="module")
def new_stack(render: Render, new_docker: NewDocker, tmp_path_factory: pytest.TempPathFactory) -> NewStack:
    locked: dict[Path, Path] = {}

    def new(**responses: str) -> Stack:
        rendered = render(**responses)
        if rendered not in locked:
            locked[rendered] = Path(shutil.copytree(rendered, tmp_path_factory.mktemp("locked") / "backend"))
            run("make", "uv.lock", cwd=locked[rendered])
        folder = Path(shutil.copytree(locked[rendered], tmp_path_factory.mktemp("stack") / "backend"))
        stack = Stack(folder, new_docker() | {"PORT": str(free_port())})
        stack.make(".env")
        return stack

    return new


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    """Yields the default backend after `make docker-up`."""
    stack = new_stack()
    assert f"The API is ready: http://127.0.0.1:{stack.environment['PORT']}/docs" in stack.up()
    return stack


@pytest.fixture(scope="module")
def production(new_stack: NewStack) -> Stack:
    """Yields the same as it would be deployed: replicas with two processes each, behind the proxy."""
    stack = new_stack()
    stack.set(WEB_CONCURRENCY="2", LOGIN_RATE_LIMIT="1/minute")
    stack.up("MODE=production")
    return stack


def wait_for(url: str, holds: Callable[[httpx2.Response], bool]) -> None:
    seen = "no response"
    for _ in range(300):
        with suppress(httpx2.HTTPError):
            response = httpx2.get(url)
            if holds(response):
                return
            seen = response.text
        time.sleep(0.2)
    raise TimeoutError(f"{url}: {seen}")


def is_ready(response: httpx2.Response) -> bool:
    return response.status_code == 200


# --- The image


def test_the_image_says_what_it_is(stack: Stack, record_property: Callable[[str, object], None]) -> None:
    size = stack.inspect(stack.image, ".Size")
    base = re.findall(r"^FROM (python:\S+)", (stack.folder / "docker/Dockerfile").read_text("utf-8"), re.MULTILINE)[0]
    added = size - stack.inspect(base, ".Size")
    record_property("image", f"{size / 1e6:.0f} MB, {added / 1e6:.0f} MB of it on top of {base}")

    labels = stack.inspect(stack.image, ".Config.Labels")
    assert (
        labels.items()
        >= {
            "org.opencontainers.image.title": "my-backend",
            "org.opencontainers.image.description": "A layered FastAPI backend.",
            "org.opencontainers.image.version": "0.1.0",
            "org.opencontainers.image.licenses": "MIT",
        }.items()
    )
    assert stack.inspect(stack.image, ".Config.User") == "10001:10001"
    assert stack.inspect(stack.image, ".Config.StopSignal") == "SIGTERM"
    # A shell between the engine and the application would not pass the signal on.
    assert stack.inspect(stack.image, ".Config.Cmd") == ["python", "-m", "app"]


CONTENTS = r"""
import importlib.metadata, importlib.util, json, re, pathlib, shutil, sys
files = [path for path in pathlib.Path("/srv").rglob("*") if path.is_file()]
code = [path for root in ("/srv", "/opt/venv/lib") for path in pathlib.Path(root).rglob("*.py")]
print(json.dumps({
    "files": [str(p.relative_to("/srv")) for p in files if p.suffix != ".pyc"],
    "not compiled": [str(p) for p in code if not pathlib.Path(importlib.util.cache_from_source(str(p))).exists()],
    "packages": sorted(re.sub(r"[-_.]+", "-", d.name).lower() for d in importlib.metadata.distributions()),
    "tools": [name for name in ("uv", "pip", "gcc", "git", "curl") if shutil.which(name)],
}))
"""


def test_it_holds_the_locked_dependencies_and_the_app_alone(stack: Stack) -> None:
    found = json.loads(stack.inside("app", "python", "-c", CONTENTS).splitlines()[-1])

    code = {path for folder in ("app", "alembic") for path in (stack.folder / folder).rglob("*") if path.is_file()}
    expected = {str(path.relative_to(stack.folder)) for path in code if path.suffix != ".pyc"}
    scripts = ("__init__", "database", "healthcheck", "outbox", "seed")
    expected |= {"alembic.ini", "pyproject.toml", *(f"scripts/{name}.py" for name in scripts)}
    assert set(found["files"]) == expected
    locked = run(uv(), "export", "--quiet", "--locked", "--no-dev", "--no-hashes", cwd=stack.folder)
    assert set(found["packages"]) <= {normal(name) for name in re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)}
    assert found["tools"] == []
    assert found["not compiled"] == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_change_of_the_code_leaves_the_dependencies_as_they_are(stack: Stack) -> None:
    with (stack.folder / "uv.lock").open("a") as file:
        file.write(f"# {stack.image}\n")  # a layer of its own: two tests may build the same image at once
    stack.make("docker-build")
    before = stack.inspect(stack.image, ".RootFS.Layers")

    with (stack.folder / "app/main.py").open("a") as file:
        file.write("# changed\n")
    stack.make("docker-build")

    after = stack.inspect(stack.image, ".RootFS.Layers")
    assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1


# --- The default mode


def test_its_containers_have_few_rights(stack: Stack) -> None:
    assert stack.inside("app", "id", "-u").splitlines()[-1] == "10001"
    assert "Read-only file system" in stack.inside("app", "touch", "/srv/new", status=1)
    stack.inside("app", "python", "-c", "import tempfile; tempfile.NamedTemporaryFile()")
    status = stack.inside("app", "cat", "/proc/1/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)


def test_its_ports_are_open_on_this_machine_alone(stack: Stack) -> None:
    assert published(stack, "database") == []
    assert published(stack, "app") == [("127.0.0.1", stack.environment["PORT"])]


def published(stack: Stack, service: str, number: int = 1) -> list[tuple[str, str]]:
    ports = stack.inspect(stack.name(service, number), ".HostConfig.PortBindings") or {}
    return [(bound["HostIp"], bound["HostPort"]) for bindings in ports.values() for bound in bindings or ()]


def test_it_is_ready_with_all_migrations(stack: Stack) -> None:
    assert httpx2.get(f"{stack.address}/health/ready").json() == {"status": "ready", "checks": {"database": "ok"}}
    newest = max((stack.folder / "alembic/versions").glob("*.py")).stem.partition("_")[0]
    assert stack.sql("SELECT version_num FROM alembic_version") == newest


def test_it_is_unhealthy_when_it_does_not_answer(stack: Stack) -> None:
    check = stack.inspect(stack.image, ".Config.Healthcheck")["Test"][1:]
    stack.inside("app", *check)

    stack.docker("kill", "--signal", "STOP", stack.name("app"))
    stack.inside("app", *check, status=1)
    stack.docker("kill", "--signal", "CONT", stack.name("app"))
    stack.inside("app", *check)


def test_what_is_written_is_there_after_every_restart(stack: Stack) -> None:
    stack.set(**ADMIN)
    assert "Created the administrator" in stack.make("docker-seed")
    headers = sign_in(stack)
    body = {"email": "kept@example.com", "password": "correct horse battery", "full_name": "Kept"}
    user = httpx2.post(f"{stack.address}/users", json=body, headers=headers).raise_for_status().json()

    for service in ("app", "database"):
        stack.docker("restart", "-t", "30", stack.name(service))
        wait_for(f"{stack.address}/health/ready", is_ready)
        assert httpx2.get(f"{stack.address}/users/{user['id']}", headers=headers).json() == user


def sign_in(stack: Stack, **headers: str) -> dict[str, str]:
    response = httpx2.post(f"{stack.address}/auth/login", data=SIGN_IN, headers=headers)
    return {"Authorization": f"Bearer {response.raise_for_status().json()['access_token']}"}


def test_the_index_of_make_migrate_search_serves_searches(stack: Stack) -> None:
    stack.set(**ADMIN)
    stack.make("docker-seed")
    assert "parked   0" in stack.inside("app", "python", "-m", "scripts.outbox")
    stack.sql("""
        INSERT INTO users (id, email, password_hash, full_name)
        SELECT gen_random_uuid(), 'user' || n || '@example.com', 'none', 'User ' || n
        FROM generate_series(1, 100000) AS n
    """)
    # This project has no environment of its own, so the one of these tests runs the script.
    run(sys.executable, "-m", "scripts.search_index", cwd=stack.folder, environment={"SEARCH_TABLE": "users"})
    stack.make("docker-down")
    stack.up()
    stack.sql("ANALYZE users")

    headers = sign_in(stack)
    # PostgreSQL makes a new plan for each of the first few requests, so send some more.
    for number in range(77_770, 77_780):
        query = {"search": f"USER{number}@"}
        response = httpx2.get(f"{stack.address}/users", params=query, headers=headers).raise_for_status()
        assert response.json()["total"] == 1
    uses = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ix_users_search'"
    wait_until(lambda: int(stack.sql(uses)) >= 20)  # an idle connection reports its statistics after some seconds
    stack.sql("DELETE FROM users WHERE password_hash = 'none'")


def test_it_writes_json_and_stops_when_asked(stack: Stack) -> None:
    assert httpx2.get(f"{stack.address}/health", headers={"X-Request-ID": "look-for-me"}).status_code == 200

    assert stack.stop("app") == 0
    lines = stack.log("app")
    assert any(line["request_id"] == "look-for-me" and line["status"] == 200 for line in lines)
    assert lines[-1]["message"].startswith("Finished server process")
    stack.docker("start", stack.name("app"))
    wait_for(f"{stack.address}/health/ready", is_ready)


def test_another_database_password_is_named_and_can_be_given(stack: Stack) -> None:
    stack.set(POSTGRES_PASSWORD="another")

    assert "created with another POSTGRES_PASSWORD" in stack.make("docker-up", status=2)
    stack.make("docker-password")
    stack.up()


# --- MODE=development


def test_a_change_is_served_at_once(new_stack: NewStack) -> None:
    stack = new_stack(mail="none")
    stack.up("MODE=development")
    schema = stack.folder / "app/domain/schemas/health.py"
    schema.write_text(schema.read_text("utf-8").replace('"healthy"', '"splendid"'), "utf-8")

    wait_for(f"{stack.address}/health", lambda response: response.json()["status"] == "splendid")
    assert not (stack.folder / "app/__pycache__").exists()


# --- MODE=production


def test_production_is_closed_but_for_the_proxy(production: Stack) -> None:
    assert httpx2.get(f"{production.address}/health").json()["environment"] == "production"
    assert httpx2.get(f"http://127.0.0.1:{production.environment['PORT']}/docs").status_code == 404
    assert published(production, "app", 1) == published(production, "app", 2) == []
    assert published(production, "proxy") == [("127.0.0.1", production.environment["PORT"])]
    assert production.inside("proxy", "id", "-u").splitlines()[-1] == "33"
    assert "Read-only file system" in production.inside("proxy", "touch", "/new", status=1)


def test_whoever_serves_this_machine_says_who_the_client_is(production: Stack) -> None:
    """Failed sign-ins are counted by the last address, since the client may have sent the ones before it."""

    def attempts(*addresses: str) -> list[int]:
        body, url = SIGN_IN | {"password": "wrong"}, f"{production.address}/auth/login"
        return [httpx2.post(url, data=body, headers={"X-Forwarded-For": sent}).status_code for sent in addresses]

    # Four processes count separately, and each refuses the second attempt.
    assert 429 in attempts(*["192.0.2.1"] * 5)
    assert attempts("192.0.2.2") == [401]
    assert 429 in attempts(*(f"203.0.113.{number}, 192.0.2.3" for number in range(5)))


def test_what_is_too_large_is_refused_in_our_own_form(production: Stack) -> None:
    response = httpx2.post(f"{production.address}/auth/refresh", content=b"0" * 5_000_000)

    assert (response.status_code, response.json()["status_code"]) == (413, 413)


def test_replicas_serve_side_by_side_and_go_one_by_one(production: Stack) -> None:
    def ask(name: str) -> httpx2.Response:
        return httpx2.get(f"{production.address}/health/ready", headers={"X-Request-ID": name})

    names = {f"asked-{number}" for number in range(40)}
    assert {ask(name).status_code for name in names} == {200}
    served = [{line["request_id"] for line in production.log("app", number)} & names for number in (1, 2)]
    assert all(served)
    assert set.union(*served) == names
    assert not set.intersection(*served)

    assert production.stop("app", 1) == 0
    assert {ask(name).status_code for name in names} == {200}
    assert production.stop("app", 2) == 0
    response = ask("nobody")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json() == {
        "message": "Service unavailable",
        "detail": None,
        "status_code": 503,
        "request_id": response.headers["X-Request-ID"],
    }


# --- With other answers


def test_sqlite_lies_in_a_volume(new_stack: NewStack) -> None:
    stack = new_stack(database="sqlite")
    stack.up()
    stack.make("docker-down")

    volume = f"{stack.environment['COMPOSE_PROJECT_NAME']}_data:/data"
    query = "import sqlite3; print(sqlite3.connect('/data/app.db').execute('SELECT count(*) FROM users').fetchone())"
    assert "(0,)" in stack.docker("run", "--rm", "--volume", volume, stack.image, "python", "-c", query)


def test_the_worker_does_its_job(new_stack: NewStack) -> None:
    stack = new_stack(profile="full")
    stack.set(**ADMIN)
    stack.up()
    stack.make("docker-seed")
    headers = sign_in(stack) | {"X-Request-ID": "end-my-sessions"}
    body = {"current_password": SIGN_IN["password"], "new_password": "another horse battery"}
    httpx2.post(f"{stack.address}/users/me/password", json=body, headers=headers).raise_for_status()

    def done() -> set[tuple[str | None, str]]:
        return {(line.get("job"), line["request_id"]) for line in stack.log("worker")}

    wait_until(lambda: ("erase_sessions", "end-my-sessions") in done(), lambda: stack.log("worker"))
    wait_until(lambda: "erase_all_sessions" in {job for job, _ in done()}, lambda: stack.log("scheduler"))
    assert published(stack, "cache") == []
    assert [stack.stop(name) for name in ("worker", "scheduler")] == [0, 0]
