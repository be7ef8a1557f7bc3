"""Limits what a request costs by counting statements, threads and layers, since times depend on chance."""

from typing import Any
from uuid import UUID

import anyio
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from starlette.middleware.base import BaseHTTPMiddleware

from app.domain.schemas.user import UserCreate
from tests.api import LOGIN, ME, USERS, credentials
from tests.factories.user_factory import NAME

# A test is one transaction, in which the transactions of requests are savepoints.
OF_TESTS = {"SAVEPOINT", "RELEASE", "ROLLBACK"}
READS = [
    "/health",
    ME,
    USERS,
    f"{USERS}?count=false",
    f"{USERS}?search=test&sort_by=email",
    f"{USERS}/export?search=test",
]


def words(statements: list[str]) -> list[str]:
    """Returns the first word of each statement, without the savepoints of tests."""
    firsts = [statement.split(maxsplit=1)[0] for statement in statements]
    return [word for word in firsts if word not in OF_TESTS]


async def test_a_read_is_one_statement_after_the_one_that_finds_who_is_asking(
    admin: AsyncClient, statements: list[str]
) -> None:
    counts = {}
    for path in READS:
        statements.clear()
        assert (await admin.get(path)).status_code == 200
        counts[path] = words(statements)

    assert counts == {
        "/health": [],
        ME: ["SELECT"],
        USERS: ["SELECT", "SELECT"],
        f"{USERS}?count=false": ["SELECT", "SELECT"],
        f"{USERS}?search=test&sort_by=email": ["SELECT", "SELECT"],
        f"{USERS}/export?search=test": ["SELECT", "SELECT"],
    }


async def test_a_write_reads_only_the_record_that_it_changes(
    admin: AsyncClient, new_user: UserCreate, statements: list[str]
) -> None:
    created = await admin.post(USERS, json=new_user.model_dump())
    assert (created.status_code, words(statements)) == (201, ["SELECT", "INSERT"])

    statements.clear()
    changed = await admin.patch(f"{USERS}/{UUID(created.json()['id'])}", json={NAME: "Ada"})
    assert (changed.status_code, words(statements)) == (200, ["SELECT", "SELECT", "UPDATE"])


async def test_no_read_waits_for_a_thread(admin: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(anyio.to_thread, "run_sync", refuse)

    assert [(await admin.get(path)).status_code for path in READS] == [200] * len(READS)
    # Hashing a password needs a thread.
    assert (await admin.post(LOGIN, **credentials("a@b.example", "x"))).status_code == 500


def test_no_middleware_makes_a_task_of_each_request(application: FastAPI) -> None:
    kinds = [middleware.cls for middleware in application.user_middleware]

    assert kinds
    assert not [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware)]
