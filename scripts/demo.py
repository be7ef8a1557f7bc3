"""`make demo`: renders the default backend into demo/, starts it on its own PostgreSQL, and checks every endpoint."""

import argparse
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
from copier import run_copy

from scripts.smoke import check_every_endpoint

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = DEMO / ".local/admin_password"


def main() -> None:
    """Runs the demo until Ctrl-C, or with `--check-only` until it is checked. Raises SystemExit if a step fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--check-only", action="store_true", help="end after the check")
    arguments = parser.parse_args()
    refuse_taken_port(arguments.port)

    step("Rendering the default backend into demo/")
    run_copy(str(ROOT), DEMO, defaults=True, overwrite=True, quiet=True, vcs_ref="HEAD", unsafe=False)
    step("Installing its dependencies")
    make("install")
    step("Starting its PostgreSQL, migrating, creating an administrator")
    email, password = admin()
    make("seed", FIRST_ADMIN_EMAIL=email, FIRST_ADMIN_PASSWORD=password)
    step("Starting the API")
    with serving(arguments.port) as address:
        step("Checking every endpoint over HTTP")
        for line in check_every_endpoint(address, email, password):
            print(f"    {line}")
        if not arguments.check_only:
            step(f"Open http://127.0.0.1:{arguments.port}/docs  (Ctrl-C stops everything)")
            step(f"Sign in there with `Authorize`: {email}, {password}")
            signal.pause()
    step("Done.")


def step(text: str) -> None:
    """Prints what begins now."""
    print(f"==> {text}", flush=True)


def admin() -> tuple[str, str]:
    """Returns the administrator's e-mail address and password, which stays the same as long as the demo's database."""
    if not ADMIN_PASSWORD.exists():
        ADMIN_PASSWORD.parent.mkdir(parents=True, exist_ok=True)
        ADMIN_PASSWORD.write_text(secrets.token_urlsafe(12), encoding="utf-8")
    return ADMIN_EMAIL, ADMIN_PASSWORD.read_text(encoding="utf-8")


def refuse_taken_port(port: int) -> None:
    """Raises SystemExit with one sentence if another program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} is taken: choose another one with `make demo PORT={port + 1}`.")


def free_port() -> int:
    """Returns a port on which nothing listens at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def settings(project: Path) -> set[str]:
    """Returns the names of all settings that a backend takes from its environment."""
    example = (project / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))


def environment(**extra: str) -> Mapping[str, str]:
    """Returns our environment, without variables that would give the demo another environment, database or setting."""
    foreign = {"VIRTUAL_ENV", "UV_PROJECT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"} | settings(DEMO)
    return {name: value for name, value in os.environ.items() if name.upper() not in foreign} | extra


def make(target: str, **extra: str) -> None:
    """Runs a target of the demo, with `extra` in its environment. Raises SystemExit with one sentence if it fails."""
    command = ["make", "--no-print-directory", target]
    if status := subprocess.run(command, cwd=DEMO, env=environment(**extra), check=False).returncode:
        sys.exit(f"`make {target}` failed in demo/ with status {status}: its last lines say why.")


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Runs `make dev` in a separate process group, so that none of its processes stays behind."""
    process = subprocess.Popen(
        ["make", "--no-print-directory", "dev"],
        cwd=DEMO,
        env=environment(PORT=str(port), LOG_LEVEL="WARNING"),
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(f"{address}/api/v1/health/ready", process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_TIMEOUT)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until the URL responds with 2xx. Raises SystemExit if the process ends, or after START_TIMEOUT seconds."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(url, trust_env=False).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    sys.exit("The API did not become ready: the lines above say why.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        step("Stopped.")
