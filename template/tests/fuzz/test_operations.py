"""Sends valid and invalid input to every operation, as an administrator and two users."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.config import ROOT, Settings
from app.core.database import Database
from app.core.passwords import hash_password
from app.domain.models.user import Role
from tests.api import LOGIN, LOGIN_FIELD, LOGIN_TYPE, PREFIX
from tests.database import KEEP_USERS
from tests.factories.user_factory import PASSWORD, create_user
from tests.server import Server, running_server

SECONDS = os.environ.get("FUZZ_SECONDS", "30")
WHO = {"admin": Role.ADMIN, "ada": Role.USER, "bob": Role.USER}
ENDPOINT = {
    "verb": "POST",
    "endpoint": f"{PREFIX}{LOGIN}",
    "contentType": LOGIN_TYPE,
    "token": {
        "extractFrom": "body",
        "extractSelector": "/access_token",
        "sendIn": "header",
        "sendName": "Authorization",
        "sendTemplate": "Bearer {token}",
    },
}
CONFIGURATION = """
# No text holds a NUL, which is refused; a schema cannot say so.
generation.allow-x00 = false

[auth.wfc]
path = "{users}"
peers = ["ada", "bob"]
"""


def address(name: str) -> str:
    return f"{name}@fuzz.example.com"


@pytest.fixture
async def users(settings: Settings) -> None:
    """Creates the users that send it, and protects them: the administrator would sooner or later lock them out."""
    database = Database(settings)
    password_hash = await hash_password(PASSWORD)
    async with database.transaction() as session:
        for name, role in WHO.items():
            await create_user(session, email=address(name), role=role, password_hash=password_hash)
        for statement in KEEP_USERS:
            await session.execute(text(statement))
    await database.close()


@pytest.fixture
def sign_in(tmp_path: Path) -> Path:
    """Returns a file that says how to sign in as each user, in the format of Web Fuzzing Commons."""
    fields = {"usernameField": LOGIN_FIELD, "passwordField": "password", "password": PASSWORD}
    endpoints = {name: ENDPOINT | {"payloadUserPwd": fields | {"username": address(name)}} for name in WHO}
    path = tmp_path / "users.json"
    path.write_text(
        json.dumps({"auth": [{"name": name, "loginEndpointAuth": login} for name, login in endpoints.items()]})
    )
    return path


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    limits = dict.fromkeys(("LOGIN_RATE_LIMIT", "REGISTRATION_RATE_LIMIT", "MAIL_RATE_LIMIT"), "1000000/minute")
    with running_server(database_url, REGISTRATION_ENABLED="true", LOG_LEVEL="ERROR", **limits) as server:
        yield server


@pytest.mark.timeout(int(SECONDS) * 2 + 60)
async def test_no_operation_answers_what_it_should_not(
    server: Server, users: None, sign_in: Path, tmp_path: Path
) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(users=sign_in))
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(configuration),
        "run",
        f"{server.origin}/openapi.json",
    ]
    environment = {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(ROOT)}

    process = await asyncio.create_subprocess_exec(
        *command, "--checks=all", f"--max-time={SECONDS}", cwd=tmp_path, env=os.environ | environment
    )

    assert await process.wait() == 0
