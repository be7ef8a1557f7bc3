"""Calls every endpoint of a running backend once, as a client would."""

from collections.abc import Iterator
from uuid import uuid4

import httpx2

PREFIX = "/api/v1"


class Smoke:
    """A client that remembers which operations it has seen work."""

    def __init__(self, address: str) -> None:
        self.client = httpx2.Client(base_url=address, timeout=30)
        self.seen: set[tuple[str, str]] = set()

    def call(
        self, method: str, path: str, status: int, *, template: str | None = None, body: object = None
    ) -> httpx2.Response:
        """Raises SystemExit when the answer has another status."""
        answer = self.client.request(method, PREFIX + path, json=body)
        if answer.status_code != status:
            raise SystemExit(f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text}")
        self.seen.add((method.lower(), PREFIX + (template or path)))
        return answer

    def operations(self) -> set[tuple[str, str]]:
        paths = self.client.get("/openapi.json").json()["paths"]
        return {(method, path) for path, methods in paths.items() for method in methods}


def check_every_endpoint(address: str) -> Iterator[str]:
    """Yields a line for each operation that works. Raises SystemExit when one fails or was left out."""
    smoke = Smoke(address)
    email = f"{uuid4().hex}@example.com"
    body = {"email": email, "password": "correct horse battery", "full_name": "Ada Lovelace"}
    smoke.call("GET", "/health", 200)
    smoke.call("GET", "/health/ready", 200)
    user = smoke.call("POST", "/users", 201, body=body).json()
    smoke.call("POST", "/users", 409, body=body)
    found = smoke.call("GET", f"/users?search={email}", 200, template="/users").json()
    if found["items"] != [user]:
        raise SystemExit(f"The user that was created was not found: {found}")
    one = {"path": f"/users/{user['id']}", "template": "/users/{user_id}"}
    smoke.call("GET", status=200, **one)
    smoke.call("PATCH", status=200, body={"full_name": "Ada King"}, **one)
    smoke.call("DELETE", status=200, **one)
    smoke.call("GET", status=404, **one)
    for method, path in sorted(smoke.seen, key=lambda operation: operation[::-1]):
        yield f"{method.upper():<7} {path}"
    if missed := smoke.operations() - smoke.seen:
        raise SystemExit(f"These operations were not checked: {sorted(missed)}")
