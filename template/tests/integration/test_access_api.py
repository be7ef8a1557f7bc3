"""Every operation refuses the roles that may not call it, and every kind of invalid token."""

import re
from typing import Any
from uuid import uuid4

import jwt
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr

from app.core import security
from app.core.config import Settings
from app.core.security import AccessTokens, Identity
from app.domain.models.user import Role
from tests.api import ME, PREFIX, USERS
from tests.conftest import SignIn
from tests.errors import said
from tests.factories.user_factory import NAME, user_fields

NOBODY = "01900000-0000-7000-8000-000000000000"

OPERATIONS: list[tuple[str, str, dict[str, Any] | None, dict[str, int]]] = [
    ("GET", ME, None, {"user": 200, "moderator": 200, "admin": 200}),
    ("PATCH", ME, {NAME: "Me"}, {"user": 200, "moderator": 200, "admin": 200}),
    ("GET", f"{ME}/sessions", None, {"user": 200, "moderator": 200, "admin": 200}),
    ("DELETE", f"{ME}/sessions", None, {"user": 204, "moderator": 204, "admin": 204}),
    ("DELETE", f"{ME}/sessions/{NOBODY}", None, {"user": 404, "moderator": 404, "admin": 404}),
    ("GET", USERS, None, {"user": 403, "moderator": 200, "admin": 200}),
    ("GET", f"{USERS}/export", None, {"user": 403, "moderator": 200, "admin": 200}),
    ("POST", USERS, user_fields(), {"user": 403, "moderator": 403, "admin": 201}),
    ("GET", f"{USERS}/{NOBODY}", None, {"user": 404, "moderator": 404, "admin": 404}),
    ("PATCH", f"{USERS}/{NOBODY}", {"role": "admin"}, {"user": 403, "moderator": 403, "admin": 404}),
    ("DELETE", f"{USERS}/{NOBODY}", None, {"user": 403, "moderator": 403, "admin": 404}),
    ("POST", f"{USERS}/{NOBODY}/password", {"new_password": "12345678"}, {"user": 403, "moderator": 403, "admin": 404}),
]


@pytest.mark.parametrize(("method", "path", "body", "statuses"), OPERATIONS)
async def test_a_role_may_do_what_it_may(
    sign_in: SignIn, method: str, path: str, body: dict[str, Any] | None, statuses: dict[str, int]
) -> None:
    responses = {role: await (await sign_in(role)).request(method, path, json=body) for role in Role}

    assert {str(role): response.status_code for role, response in responses.items()} == statuses


@pytest.mark.parametrize(("method", "path", "body", "statuses"), OPERATIONS)
async def test_nobody_may_do_anything_without_a_token(
    client: AsyncClient, method: str, path: str, body: dict[str, Any] | None, statuses: dict[str, int]
) -> None:
    response = await client.request(method, path, json=body)

    assert statuses
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_every_operation_on_users_is_in_the_table(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    operations = {
        (method.upper(), re.sub(r"{\w+}", NOBODY, path))
        for path in paths
        for method in paths[path]
        # Others, such as those of accounts or of links between users, have their own tests.
        if path.startswith(f"{PREFIX}{USERS}") and {"users", "sessions"} & {*paths[path][method]["tags"]}
    }
    tested = {(method, f"{PREFIX}{path}") for method, path, *_ in OPERATIONS}

    assert operations - tested == {("POST", f"{PREFIX}{ME}/password")}  # has its own tests, since it ends sessions


async def test_another_user_looks_like_none(sign_in: SignIn) -> None:
    admin, user = await sign_in(Role.ADMIN), await sign_in(Role.USER)
    ids = {name: (await client.get(ME)).json()["id"] for name, client in (("admin", admin), ("user", user))}

    other = await user.get(f"{USERS}/{ids['admin']}")
    missing = await user.get(f"{USERS}/{NOBODY}")

    assert other.status_code == missing.status_code == 404
    assert said(other) == said(missing)
    assert (await user.get(f"{USERS}/{ids['user']}")).status_code == 200


@pytest.mark.parametrize("field", ["role", "is_active", "id", "email", "password_hash"])
async def test_nobody_promotes_themselves(sign_in: SignIn, field: str) -> None:
    user = await sign_in(Role.USER)
    before = (await user.get(ME)).json()

    response = await user.patch(ME, json={field: before.get(field, "x")})

    assert response.status_code == 422
    assert (await user.get(ME)).json() == before


async def test_the_last_administrator_stays(admin: AsyncClient) -> None:
    me = f"{USERS}/{(await admin.get(ME)).json()['id']}"

    assert (await admin.delete(me)).status_code == 409
    assert (await admin.patch(me, json={"role": "user"})).status_code == 409
    assert (await admin.patch(me, json={"is_active": False})).status_code == 409
    assert (await admin.get(ME)).json()["role"] == "admin"


class TestForgery:
    @pytest.fixture
    async def token(self, admin: AsyncClient) -> str:
        return str(admin.headers["Authorization"]).removeprefix("Bearer ")

    @pytest.fixture
    def claims(self, token: str) -> dict[str, Any]:
        return dict(jwt.decode(token, options={"verify_signature": False}))

    def sign(self, app: FastAPI, claims: dict[str, Any], **options: Any) -> str:
        return jwt.encode(claims, app.state.settings.signing_keys[0], **{"algorithm": "HS256"} | options)

    async def status(self, client: AsyncClient, token: str) -> int:
        response = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
        return response.status_code

    async def test_what_we_sign_ourselves_lets_in(
        self, client: AsyncClient, app: FastAPI, claims: dict[str, Any]
    ) -> None:
        assert await self.status(client, self.sign(app, claims)) == 200

    @pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "jti", "exp", "iat", "typ"])
    async def test_every_claim_is_needed(
        self, client: AsyncClient, app: FastAPI, claims: dict[str, Any], claim: str
    ) -> None:
        del claims[claim]

        assert await self.status(client, self.sign(app, claims)) == 401

    @pytest.mark.parametrize(
        "forged",
        [
            {"iss": "another"},
            {"aud": "another"},
            {"typ": "refresh"},
            {"sub": NOBODY},
            {"sid": NOBODY},
            {"sub": "1"},
            {"sid": ["x"]},
            {"exp": 1_700_000_000},
            {"exp": "soon"},
            {"iat": 4_000_000_000},
        ],
    )
    async def test_a_wrong_claim_is_refused(
        self, client: AsyncClient, app: FastAPI, claims: dict[str, Any], forged: dict[str, Any]
    ) -> None:
        assert await self.status(client, self.sign(app, claims | forged)) == 401

    async def test_what_let_in_once_does_so_until_it_expires(
        self, client: AsyncClient, app: FastAPI, claims: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = self.sign(app, claims)
        assert await self.status(client, token) == 200

        monkeypatch.setattr(security, "time", lambda: claims["exp"])
        assert await self.status(client, token) == 401

    async def test_another_key_or_algorithm_is_refused(
        self, client: AsyncClient, app: FastAPI, claims: dict[str, Any], token: str
    ) -> None:
        key = app.state.settings.signing_keys[0]

        assert await self.status(client, jwt.encode(claims, "x" * 32, "HS256")) == 401
        assert await self.status(client, jwt.encode(claims, key, "HS384")) == 401
        assert await self.status(client, jwt.encode(claims, "", "none")) == 401
        assert await self.status(client, token.rpartition(".")[0] + ".") == 401
        assert await self.status(client, self.sign(app, claims, headers={"kid": "../../dev/null"})) == 200

    @pytest.mark.parametrize(
        "value", ["", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi", "Bearer \xff"]
    )
    async def test_garbage_is_refused(self, client: AsyncClient, value: str) -> None:
        response = await client.get(ME, headers={b"Authorization": value.encode("latin-1")})

        assert response.status_code == 401


async def test_keys_can_be_rotated(app: FastAPI, admin: AsyncClient) -> None:
    old, new = app.state.settings.JWT_SECRET_KEY.get_secret_value(), "n" * 32

    app.state.providers.access_tokens = AccessTokens(Settings(JWT_SECRET_KEY=SecretStr(f"{new},{old}")))
    assert (await admin.get(ME)).status_code == 200
    identity = Identity(uuid4(), uuid4())
    jwt.decode(
        app.state.providers.access_tokens.issue(identity), new, algorithms=["HS256"], options={"verify_aud": False}
    )

    app.state.providers.access_tokens = AccessTokens(Settings(JWT_SECRET_KEY=SecretStr(new)))
    assert (await admin.get(ME)).status_code == 401


@pytest.mark.parametrize(("environment", "status"), [("production", 404), ("development", 200)])
async def test_the_documentation_is_closed_in_production(app: FastAPI, environment: str, status: int) -> None:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings of the tests)

    application = create_app(app.state.settings.model_copy(update={"ENVIRONMENT": environment}))
    async with AsyncClient(transport=ASGITransport(application), base_url="http://test") as client:
        statuses = [(await client.get(path)).status_code for path in ("/docs", "/redoc", "/openapi.json")]

    assert statuses == [status] * 3


async def test_every_answer_has_the_security_headers(client: AsyncClient) -> None:
    for path in ("/health", USERS, "/nothing-here"):
        assert (await client.get(path)).headers["X-Content-Type-Options"] == "nosniff"
