"""Users sign in, refresh their tokens and sign out; everybody else is refused."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, update

from app.core.config import Settings
from app.core.database import Database
from app.core.rate_limit import AttemptLimiter, RegistrationLimiter
from app.domain.models.base import utc_now
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User
from tests.api import LOGIN, LOGOUT, ME, REFRESH, REGISTER, USERS, credentials
from tests.errors import assert_error, said
from tests.factories.user_factory import PASSWORD, user_fields

ADA = "ada@example.com"


@pytest.fixture
async def ada(admin: AsyncClient) -> dict[str, Any]:
    response = await admin.post(USERS, json=user_fields(email=ADA))
    user: dict[str, Any] = response.json()
    return user


async def login(client: AsyncClient, password: str = PASSWORD, email: str = ADA) -> Response:
    return await client.post(LOGIN, **credentials(email, password))


async def refresh(client: AsyncClient, pair: dict[str, str]) -> Response:
    return await client.post(REFRESH, json={"refresh_token": pair["refresh_token"]})


async def me(client: AsyncClient, pair: dict[str, str]) -> Response:
    return await client.get(ME, headers={"Authorization": f"Bearer {pair['access_token']}"})


@pytest.fixture
async def pair(client: AsyncClient, ada: dict[str, Any]) -> dict[str, str]:
    assert ada["email"] == ADA
    tokens: dict[str, str] = (await login(client)).json()
    return tokens


class TestLogin:
    @pytest.mark.usefixtures("ada")
    @pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.com"])
    async def test_gives_a_pair_that_lets_in(self, client: AsyncClient, email: str) -> None:
        response = await login(client, email=email)

        pair = response.json()
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
        assert (pair["token_type"], pair["expires_in"]) == ("bearer", 900)
        assert (await me(client, pair)).json()["email"] == ADA

    async def test_refuses_unknown_wrong_and_inactive_alike(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any]
    ) -> None:
        wrong = await login(client, password="wrong horse battery")
        unknown = await login(client, email="nobody@example.com")
        await admin.patch(f"{USERS}/{ada['id']}", json={"is_active": False})
        inactive = await login(client)

        for response in (wrong, unknown, inactive):
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert said(response) == said(wrong)

    @pytest.mark.usefixtures("ada")
    @pytest.mark.parametrize("password", ["", "x" * 129, "x" * 100_000, "a\0b", f"{PASSWORD} "])
    async def test_takes_the_password_as_it_is(self, client: AsyncClient, password: str) -> None:
        assert (await login(client, password=password)).status_code in {401, 422}

    @pytest.mark.usefixtures("ada")
    async def test_ten_failures_a_minute_are_enough(self, client: AsyncClient) -> None:
        for _ in range(10):
            assert (await login(client, password="wrong horse")).status_code == 401

        response = await login(client)
        elsewhere = await client.post(
            LOGIN,
            **credentials(ADA, PASSWORD),
            headers={"X-Forwarded-For": "192.0.2.1"},
        )

        assert response.status_code == elsewhere.status_code == 429
        assert 1 <= int(response.headers["Retry-After"]) <= 60

    @pytest.mark.usefixtures("ada")
    async def test_success_is_not_counted(self, client: AsyncClient, app: FastAPI, settings: Settings) -> None:
        app.state.providers.attempt_limiter = AttemptLimiter(
            settings.model_copy(update={"LOGIN_RATE_LIMIT": "2/minute"})
        )

        statuses = [(await login(client)).status_code for _ in range(4)]

        assert statuses == [200] * 4


class TestRefresh:
    async def test_gives_a_new_pair(self, client: AsyncClient, pair: dict[str, str]) -> None:
        response = await refresh(client, pair)

        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json()["refresh_token"] != pair["refresh_token"]
        assert (await me(client, response.json())).status_code == 200

    async def test_reuse_ends_the_whole_session(self, client: AsyncClient, pair: dict[str, str]) -> None:
        renewed = (await refresh(client, pair)).json()

        assert (await refresh(client, pair)).status_code == 401
        assert (await refresh(client, renewed)).status_code == 401
        assert (await me(client, renewed)).status_code == 401

    async def test_reuse_ends_no_other_session(self, client: AsyncClient, pair: dict[str, str]) -> None:
        other = (await login(client)).json()
        await refresh(client, pair)

        await refresh(client, pair)

        assert (await refresh(client, other)).status_code == 200

    async def test_does_not_make_a_session_longer(
        self, client: AsyncClient, database: Database, pair: dict[str, str]
    ) -> None:
        renewed = (await refresh(client, pair)).json()

        async with database.transaction() as session:
            ends = (await session.scalars(select(RefreshToken.expires_at).join(User).where(User.email == ADA))).all()
            assert len(ends) == 2
            assert len(set(ends)) == 1
            await session.execute(update(RefreshToken).values(expires_at=utc_now()))

        assert (await refresh(client, renewed)).status_code == 401
        assert (await me(client, renewed)).status_code == 401

    @pytest.mark.parametrize("token", ["x", "\ud800", "\0", "", "x" * 201])
    async def test_refuses_what_is_no_token(self, client: AsyncClient, token: str) -> None:
        body = json.dumps({"refresh_token": token}).encode()
        response = await client.post(REFRESH, content=body, headers={"Content-Type": "application/json"})

        assert response.status_code in {401, 422}

    async def test_refuses_an_access_token(self, client: AsyncClient, pair: dict[str, str]) -> None:
        response = await client.post(REFRESH, json={"refresh_token": pair["access_token"]})

        assert response.status_code in {401, 422}


class TestLogout:
    async def test_ends_the_session_and_may_be_repeated(self, client: AsyncClient, pair: dict[str, str]) -> None:
        body = {"refresh_token": pair["refresh_token"]}

        assert [(await client.post(LOGOUT, json=body)).status_code for _ in range(2)] == [204, 204]
        assert (await refresh(client, pair)).status_code == 401
        assert (await me(client, pair)).status_code == 401


class TestRegister:
    async def test_is_refused_where_it_is_off(self, client: AsyncClient, app: FastAPI, settings: Settings) -> None:
        app.state.settings = settings.model_copy(update={"REGISTRATION_ENABLED": False})

        assert (await client.post(REGISTER, json=user_fields())).status_code == 403
        assert (await client.post(REGISTER, json={})).status_code == 403

    async def test_makes_a_plain_user_where_it_is_on(
        self, client: AsyncClient, app: FastAPI, settings: Settings
    ) -> None:
        app.state.settings = settings.model_copy(update={"REGISTRATION_ENABLED": True})

        response = await client.post(REGISTER, json=user_fields(email=ADA))

        assert response.status_code == 201
        assert response.json()["role"] == "user"
        assert (await client.post(REGISTER, json=user_fields(role="admin"))).status_code == 422
        assert (await client.post(REGISTER, json=user_fields(email=ADA))).status_code == 409
        assert (await login(client)).status_code == 200

    async def test_is_limited(self, client: AsyncClient, app: FastAPI, settings: Settings) -> None:
        app.state.settings = settings.model_copy(update={"REGISTRATION_ENABLED": True})
        app.state.providers.registration_limiter = RegistrationLimiter(
            settings.model_copy(update={"REGISTRATION_RATE_LIMIT": "1/hour"})
        )
        await client.post(REGISTER, json=user_fields())

        response = await client.post(REGISTER, json=user_fields())

        assert_error(response, 429)
        assert 60 < int(response.headers["Retry-After"]) <= 3600

    async def test_does_not_count_as_an_attempt_to_sign_in(
        self, client: AsyncClient, app: FastAPI, settings: Settings
    ) -> None:
        app.state.settings = settings.model_copy(update={"REGISTRATION_ENABLED": True})
        app.state.providers.attempt_limiter = AttemptLimiter(
            settings.model_copy(update={"LOGIN_RATE_LIMIT": "1/minute"})
        )
        for _ in range(2):
            assert (await client.post(REGISTER, json=user_fields())).status_code == 201

        assert (await login(client)).status_code == 401


class TestWhatActsAtOnce:
    async def refused(self, client: AsyncClient, pair: dict[str, str]) -> bool:
        responses = [await me(client, pair), await refresh(client, pair)]
        return [response.status_code for response in responses] == [401, 401]

    async def test_deactivation_for_good(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any], pair: dict[str, str]
    ) -> None:
        await admin.patch(f"{USERS}/{ada['id']}", json={"is_active": False})
        assert await self.refused(client, pair)

        await admin.patch(f"{USERS}/{ada['id']}", json={"is_active": True})
        assert await self.refused(client, pair)

    async def test_deletion(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any], pair: dict[str, str]
    ) -> None:
        await admin.delete(f"{USERS}/{ada['id']}")

        assert await self.refused(client, pair)

    async def test_a_change_of_role(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any], pair: dict[str, str]
    ) -> None:
        headers = {"Authorization": f"Bearer {pair['access_token']}"}

        await admin.patch(f"{USERS}/{ada['id']}", json={"role": "moderator"})
        assert (await client.get(USERS, headers=headers)).status_code == 200

        await admin.patch(f"{USERS}/{ada['id']}", json={"role": "user"})
        assert (await client.get(USERS, headers=headers)).status_code == 403

    async def test_a_new_password_ends_the_other_sessions(self, client: AsyncClient, pair: dict[str, str]) -> None:
        other = (await login(client)).json()
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        change = {"current_password": PASSWORD, "new_password": "another horse battery"}

        response = await client.post(f"{ME}/password", json=change, headers=headers)

        assert response.status_code == 204
        assert await self.refused(client, other)
        assert (await me(client, pair)).status_code == 200
        assert (await login(client)).status_code == 401
        assert (await login(client, password="another horse battery")).status_code == 200

    async def test_a_new_password_needs_the_current_one(self, client: AsyncClient, pair: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        change = {"current_password": "wrong horse", "new_password": "another horse battery"}

        response = await client.post(f"{ME}/password", json=change, headers=headers)

        assert response.status_code == 403
        assert (await login(client)).status_code == 200

    async def test_guesses_of_the_current_password_are_limited(self, client: AsyncClient, pair: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {pair['access_token']}"}
        guess = {"current_password": "wrong horse", "new_password": "another horse battery"}
        right = guess | {"current_password": PASSWORD}

        statuses = [(await client.post(f"{ME}/password", json=guess, headers=headers)).status_code for _ in range(10)]
        refused = await client.post(f"{ME}/password", json=right, headers=headers)

        assert set(statuses) == {403}
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1

    async def test_a_password_that_an_administrator_sets(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any], pair: dict[str, str]
    ) -> None:
        path = f"{USERS}/{ada['id']}/password"

        assert (await admin.post(path, json={"new_password": "another horse battery"})).status_code == 204

        assert await self.refused(client, pair)
        assert (await login(client, password="another horse battery")).status_code == 200
