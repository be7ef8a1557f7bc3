"""A request with a key that is sent until it gets a response creates once, whatever is killed meanwhile."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient, TransportError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api import LOGIN, USERS, bearer, credentials
from tests.database import Service
from tests.faults.conftest import ADMIN, LIMITS, PATIENCE, user_named
from tests.faults.processes import Api, kill_now_and_then, project_with, rows

POSTS = int(os.environ.get("REPEATED_POSTS", "60"))
CLIENTS = 10

# After these statuses a client sends the request again: the first one still runs, or the database is down.
AGAIN = {409, 503}


@pytest.fixture
def api(migrated: Service, tmp_path: Path) -> Iterator[Api]:
    # All servers need the same key: one without a key generates its own, and does not recognise the bodies of others.
    settings = LIMITS | {"DATABASE_URL": migrated.url, "JWT_SECRET_KEY": "k" * 40}
    api = Api(project_with(tmp_path / "project", {}), **settings)
    yield api
    api.stop()


async def test_under_kills_each_key_creates_once(api: Api, migrated: Service, engine: AsyncEngine) -> None:
    bodies = [user_named(f"sent-{number}") for number in range(POSTS)]
    waiting, created = iter(bodies), dict[str, UUID]()

    async def send(client: AsyncClient) -> None:
        for body in waiting:
            while body["email"] not in created:
                await send_once(client, body)

    async def send_once(client: AsyncClient, body: dict[str, Any]) -> None:
        with suppress(TransportError):
            response = await client.post(USERS, json=body, headers={"Idempotency-Key": body["email"]})
            assert response.status_code in AGAIN | {201}, response.text
            if response.status_code == 201:
                created[body["email"]] = UUID(response.json()["id"])
                return
        await asyncio.sleep(0.1)

    kills = [api.kill, *([migrated.crash] if hasattr(migrated, "crash") else [])]
    async with AsyncClient(base_url=api.address, timeout=PATIENCE) as client:
        client.headers |= bearer(await client.post(LOGIN, **credentials(**ADMIN)))
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(send(client))
            group.create_task(kill_now_and_then(kills, lambda: len(created), POSTS))

    found = await rows(engine, text("SELECT email, id FROM users WHERE email LIKE 'sent-%'"))
    assert sorted(email for email, _ in found) == sorted(body["email"] for body in bodies)
    assert {email: UUID(str(record_id)) for email, record_id in found} == created
