"""Calls every endpoint of a running backend once, as a client would."""

from collections.abc import Iterator, Mapping
from secrets import token_urlsafe
from uuid import uuid4

import httpx2

PREFIX = "/api/v1"


class Smoke:
    """A client that remembers which operations it has seen work."""

    def __init__(self, address: str) -> None:
        self.client = httpx2.Client(base_url=address, timeout=30, trust_env=False)
        self.seen: set[tuple[str, str]] = set()

    def call(
        self,
        method: str,
        path: str,
        status: int,
        *,
        template: str | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Returns the response. Raises SystemExit if it has another status."""
        response = self.client.request(method, PREFIX + path, json=body, data=form)
        if response.status_code != status:
            raise SystemExit(f"{method} {path} returned {response.status_code} instead of {status}: {response.text}")
        self.seen.add((method.lower(), PREFIX + (template or path)))
        return response

    def sign_in(self, email: str, password: str) -> str:
        """Sends the access token with every request from now on, and returns the refresh token."""
        pair = self.call("POST", "/auth/login", 200, form={"username": email, "password": password}).json()
        self.client.headers["Authorization"] = f"Bearer {pair['access_token']}"
        return str(pair["refresh_token"])

    def operations(self) -> set[tuple[str, str]]:
        """Returns the method in lower case and the path of each operation that the backend documents."""
        paths = self.client.get("/openapi.json").json()["paths"]
        return {(method, path) for path, methods in paths.items() for method in methods}


def check_every_endpoint(address: str, email: str, password: str) -> Iterator[str]:
    """Signs in as this administrator and yields a line for each operation that works.

    Raises SystemExit when one fails or was left out.
    """
    smoke = Smoke(address)
    smoke.call("GET", "/health", 200)
    smoke.call("GET", "/health/ready", 200)
    smoke.call("GET", "/users", 401)
    smoke.call("POST", "/auth/register", 403)
    refresh_token = smoke.sign_in(email, password)
    check_users(smoke)
    check_sessions(smoke, email, password)
    if ("post", f"{PREFIX}/auth/forgot-password") in smoke.operations():
        check_mails(smoke)
    renewed = smoke.call("POST", "/auth/refresh", 200, body={"refresh_token": refresh_token}).json()
    smoke.call("POST", "/auth/logout", 204, body={"refresh_token": renewed["refresh_token"]})
    smoke.call("GET", "/users/me", 401)
    for method, path in sorted(smoke.seen, key=lambda operation: operation[::-1]):
        yield f"{method.upper():<7} {path}"
    if missed := smoke.operations() - smoke.seen:
        raise SystemExit(f"These operations were not checked: {sorted(missed)}")


def check_users(smoke: Smoke) -> None:
    """Creates, finds, exports, changes and deletes a user. Raises SystemExit if a response is wrong."""
    new = {"email": f"{uuid4().hex}@example.com", "password": token_urlsafe(), "full_name": "Ada Lovelace"}
    user = smoke.call("POST", "/users", 201, body=new).json()
    smoke.call("POST", "/users", 409, body=new)
    found = smoke.call("GET", f"/users?search={new['email']}", 200, template="/users").json()
    if found["items"] != [user]:
        raise SystemExit(f"The user that was created was not found: {found}")
    exported = smoke.call("GET", f"/users/export?format=ndjson&search={new['email']}", 200, template="/users/export")
    if exported.json() != user:
        raise SystemExit(f"The user that was created was not exported: {exported.text}")
    path, template = f"/users/{user['id']}", "/users/{user_id}"
    smoke.call("GET", path, 200, template=template)
    smoke.call("PATCH", path, 200, template=template, body={"full_name": "Ada King"})
    password = {"new_password": token_urlsafe()}
    smoke.call("POST", f"{path}/password", 204, template=f"{template}/password", body=password)
    smoke.call("DELETE", path, 200, template=template)
    smoke.call("GET", path, 404, template=template)
    me = smoke.call("GET", "/users/me", 200).json()
    smoke.call("PATCH", "/users/me", 200, body={"full_name": me["full_name"]})
    wrong = {"current_password": token_urlsafe(), "new_password": token_urlsafe()}
    smoke.call("POST", "/users/me/password", 403, body=wrong)


def check_sessions(smoke: Smoke, email: str, password: str) -> None:
    """Signs in a second time, and ends that session from this one."""
    form = {"username": email, "password": password}
    smoke.call("POST", "/auth/login", 200, form=form)
    path = "/users/me/sessions"
    others = [session["id"] for session in smoke.call("GET", path, 200).json() if not session["current"]]
    smoke.call("DELETE", f"{path}/{others[0]}", 204, template=f"{path}/{{session_id}}")
    smoke.call("DELETE", path, 204)
    if len(left := smoke.call("GET", path, 200).json()) != 1:
        raise SystemExit(f"Sessions are left that were ended: {left}")


def check_mails(smoke: Smoke) -> None:
    """Asks for e-mails, and checks that forged links are refused."""
    token = {"token": "e30.e30.e30"}
    smoke.call("POST", "/auth/forgot-password", 202, body={"email": f"{uuid4().hex}@example.com"})
    smoke.call("POST", "/auth/reset-password", 401, body=token | {"new_password": token_urlsafe()})
    smoke.call("POST", "/auth/verify-email", 401, body=token)
    smoke.call("POST", "/auth/confirm-email", 401, body=token)
    smoke.call("POST", "/users/me/verify-email", 202)
    change = {"new_email": f"{uuid4().hex}@example.com", "current_password": token_urlsafe()}
    smoke.call("POST", "/users/me/email", 403, body=change)
