"""The backend works with the URLs of managed databases: certificates of both sides, a socket, several hosts."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from scripts.demo import free_port
from tests.conftest import Render, run
from tests.test_pgbouncer import running, serving, wait_until

pytestmark = pytest.mark.slow

# A client over TCP needs a certificate in the name of the user.
RULES = "local all all trust\nhostssl all all all cert\n"


@pytest.fixture(scope="module")
def binaries() -> Path:
    """Returns the programs of a PostgreSQL that supports TLS, unlike the one in our wheel."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or not shutil.which("openssl"):
        pytest.skip("PostgreSQL with TLS, or openssl, is not installed")
    return found[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yields a folder that the server's user can read, with a name short enough for a socket."""
    with TemporaryDirectory(prefix="pg:tls:", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def certificates(folder: Path) -> None:
    """Creates an authority, and certificates of the server and of the user `app` that it signed."""

    def openssl(*arguments: str) -> None:
        run("openssl", *arguments, cwd=folder)

    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-subj", "/CN=authority", "-keyout", "root.key", "-out", "root.crt")
    for name, subject in {"server": "localhost", "app": "app"}.items():
        issuer = ("-CA", "root.crt", "-CAkey", "root.key")
        extension = ("-addext", f"subjectAltName=DNS:{subject}", "-addext", "basicConstraints=critical,CA:FALSE")
        openssl(*new, *issuer, *extension, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.crt")


@contextmanager
def server(binaries: Path, folder: Path) -> Iterator[int]:
    """Yields the port of a server whose socket is in `folder`."""
    data, port = folder / "data", free_port()
    user = "postgres" if os.geteuid() == 0 else None
    certificates(folder)
    if user:
        shutil.chown(folder, user)
        shutil.chown(folder / "server.key", user)
    initdb = [str(binaries / "initdb"), "--auth=trust", "--username=app", str(data)]
    subprocess.run(initdb, user=user, cwd=folder, check=True, capture_output=True)
    (data / "pg_hba.conf").write_text(RULES)
    settings = {
        "ssl": "on",
        "ssl_cert_file": f"{folder}/server.crt",
        "ssl_key_file": f"{folder}/server.key",
        "ssl_ca_file": f"{folder}/root.crt",
        "unix_socket_directories": str(folder),
        "listen_addresses": "localhost",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]
    with running(*command, cwd=folder, user=user):
        wait_until((folder / f".s.PGSQL.{port}").exists)
        yield port


def readiness(project: Path, url: str) -> int:
    with serving(project, url) as address:
        return httpx2.get(f"{address}/api/v1/health/ready").status_code


def test_it_is_ready_with_the_urls_of_managed_databases(binaries: Path, folder: Path, render: Render) -> None:
    project = render()
    files = f"sslcert={folder}/app.crt&sslkey={folder}/app.key"
    verified = f"sslmode=verify-full&sslrootcert={folder}/root.crt"
    with server(binaries, folder) as port:
        urls = {
            f"postgresql://app@localhost:{port}/postgres?{verified}&{files}": 200,
            f"postgresql://app@localhost:{port}/postgres?sslmode=require&channel_binding=require&{files}": 200,
            f"postgresql://app@localhost:{free_port()},localhost:{port}/postgres?sslmode=require&{files}": 200,
            f"postgresql://app@/postgres?host={folder}&port={port}": 200,
            f"POSTGRES://app@{str(folder).replace('/', '%2F').replace(':', '%3A')}:{port}/postgres": 200,
            # The client has no certificate, or this machine does not trust that of the server.
            f"postgresql://app@localhost:{port}/postgres?sslmode=require": 503,
            f"postgresql://app@localhost:{port}/postgres?sslrootcert=system&{files}": 503,
        }
        assert {url: readiness(project, url) for url in urls} == urls
