"""Users verify addresses, set passwords and accept invitations by links in e-mails."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select

from app.core.database import Database
from app.domain.models.outbox_message import OutboxMessage
from app.domain.models.user import Role
from app.integrations.mail.integration import running
from app.repository.outbox_repository import Outcome
from tests.api import AUTH, LOGIN, ME, REGISTER, USERS, bearer, credentials
from tests.conftest import SignIn
from tests.errors import assert_error, said, wrong_fields
from tests.factories.user_factory import PASSWORD, user_fields
from tests.integrations.mail.conftest import change
from tests.integrations.mail.mailbox import Mailbox, text_of

ADA, NEW = "ada@example.com", "ada@new.example.com"
OTHER_PASSWORD = "another password"
FORGOT, RESET = f"{AUTH}/forgot-password", f"{AUTH}/reset-password"
VERIFY, CONFIRM = f"{AUTH}/verify-email", f"{AUTH}/confirm-email"

Deliver = Callable[[], Awaitable[list[Outcome]]]


@pytest.fixture
async def ada(client: AsyncClient, deliver: Deliver) -> dict[str, Any]:
    """Registers Ada, who gets an e-mail to verify the address."""
    response = await client.post(REGISTER, json=user_fields(email=ADA))
    assert response.status_code == 201
    await deliver()
    user: dict[str, Any] = response.json()
    return user


async def login(client: AsyncClient, email: str = ADA, password: str = PASSWORD) -> Response:
    return await client.post(LOGIN, **credentials(email, password))


async def reset(client: AsyncClient, token: str, password: str = OTHER_PASSWORD) -> Response:
    return await client.post(RESET, json={"token": token, "new_password": password})


async def verify(client: AsyncClient, token: str) -> Response:
    return await client.post(VERIFY, json={"token": token})


@pytest.mark.usefixtures("ada")
class TestForgottenPassword:
    @pytest.fixture
    async def token(self, client: AsyncClient, mailbox: Mailbox, deliver: Deliver) -> str:
        await client.post(FORGOT, json={"email": "ADA@example.com"})
        await deliver()
        return mailbox.token(ADA)

    async def test_a_link_sets_a_new_password_and_ends_every_session(
        self, client: AsyncClient, token: str, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        session = bearer(await login(client))

        assert (await reset(client, token)).status_code == 204

        assert (await client.get(ME, headers=session)).status_code == 401
        assert (await login(client)).status_code == 401
        assert (await login(client, password=OTHER_PASSWORD)).status_code == 200
        await deliver()
        assert "was changed" in mailbox.subjects(ADA)[-1]

    async def test_a_link_works_once(self, client: AsyncClient, token: str) -> None:
        assert (await reset(client, token)).status_code == 204

        again = await reset(client, token, "a third password")
        assert_error(again, 401)
        assert said(again) == said(await reset(client, "a.b.c"))
        assert (await login(client, password=OTHER_PASSWORD)).status_code == 200

    async def test_a_link_dies_with_a_change_of_the_password(self, client: AsyncClient, token: str) -> None:
        client.headers |= bearer(await login(client))
        changed = {"current_password": PASSWORD, "new_password": "chosen by hand"}
        assert (await client.post(f"{ME}/password", json=changed)).status_code == 204

        assert_error(await reset(client, token), 401)

    async def test_a_link_of_somebody_who_was_deactivated_does_nothing(
        self, client: AsyncClient, admin: AsyncClient, ada: dict[str, Any], token: str
    ) -> None:
        await admin.patch(f"{USERS}/{ada['id']}", json={"is_active": False})

        assert_error(await reset(client, token), 401)

    async def test_a_password_that_is_too_short_leaves_the_link_as_it_was(
        self, client: AsyncClient, token: str
    ) -> None:
        assert wrong_fields(await reset(client, token, "short")) == ["new_password"]

        assert (await reset(client, token)).status_code == 204

    async def test_the_address_is_verified_by_it(self, client: AsyncClient, app: FastAPI, token: str) -> None:
        change(app, REQUIRE_VERIFIED_EMAIL=True)

        assert (await reset(client, token)).status_code == 204

        assert (await login(client, password=OTHER_PASSWORD)).status_code == 200

    async def test_unknown_addresses_get_the_same_response_and_no_mail(
        self, client: AsyncClient, mailbox: Mailbox, deliver: Deliver, database: Database
    ) -> None:
        await deliver()
        known = await client.post(FORGOT, json={"email": ADA})
        unknown = await client.post(FORGOT, json={"email": "eve@example.com"})

        assert known.status_code == unknown.status_code == 202
        assert known.content == unknown.content
        async with database.reading() as session:
            waiting = select(OutboxMessage.kind).where(OutboxMessage.delivered_at.is_(None))
            assert (await session.scalars(waiting)).all() == ["mail.ResetPassword", "mail.ResetPassword"]
        await deliver()
        assert mailbox.mails("eve@example.com") == []

    async def test_nothing_that_is_stored_holds_a_token(
        self, client: AsyncClient, database: Database, mailbox: Mailbox, deliver: Deliver, capsys: Any
    ) -> None:
        await client.post(FORGOT, json={"email": ADA})
        async with database.reading() as session:
            stored = " ".join((await session.scalars(select(OutboxMessage.payload))).all())
        await deliver()

        token = mailbox.token(ADA)
        assert ADA in stored
        assert "token" not in stored
        assert token not in capsys.readouterr().out

    async def test_an_address_gets_no_more_mails_than_the_limit_and_nobody_can_tell(
        self, client: AsyncClient, app: FastAPI, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        change(app, MAIL_RATE_LIMIT="3/hour")
        mails = len(mailbox.mails(ADA))
        for number in range(5):
            response = await from_address(app, f"192.0.2.{number}", {"email": ADA})
            assert response.status_code == 202

        await deliver()
        assert len(mailbox.mails(ADA)) == mails + 3

    async def test_a_client_asks_for_no_more_mails_than_the_limit(self, client: AsyncClient, app: FastAPI) -> None:
        change(app, MAIL_RATE_LIMIT="3/hour")
        responses = [await client.post(FORGOT, json={"email": f"{number}@example.com"}) for number in range(4)]

        assert [response.status_code for response in responses] == [202, 202, 202, 429]
        assert int(responses[-1].headers["Retry-After"]) > 3000


async def from_address(app: FastAPI, address: str, body: dict[str, Any]) -> Response:
    transport = ASGITransport(app, client=(address, 1))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post(f"{app.state.settings.API_V1_PREFIX}{FORGOT}", json=body)


class TestVerification:
    async def test_who_registers_verifies_the_address(
        self, client: AsyncClient, app: FastAPI, ada: dict[str, Any], mailbox: Mailbox
    ) -> None:
        change(app, REQUIRE_VERIFIED_EMAIL=True)
        assert_error(await login(client), 403)
        assert_error(await login(client, password="wrong password"), 401)

        assert (await verify(client, mailbox.token(ADA))).status_code == 204

        assert (await login(client)).status_code == 200
        assert ada["email"] == ADA

    @pytest.mark.usefixtures("ada")
    async def test_without_the_setting_nobody_has_to(self, client: AsyncClient) -> None:
        assert (await login(client)).status_code == 200

    @pytest.mark.usefixtures("ada")
    async def test_a_link_works_once(self, client: AsyncClient, mailbox: Mailbox) -> None:
        token = mailbox.token(ADA)
        assert (await verify(client, token)).status_code == 204

        assert_error(await verify(client, token), 401)

    @pytest.mark.usefixtures("ada")
    async def test_another_link_can_be_asked_for_until_it_is_verified(
        self, client: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        headers = bearer(await login(client))
        assert (await client.post(f"{ME}/verify-email", headers=headers)).status_code == 202
        await deliver()
        assert len(mailbox.mails(ADA)) == 2
        assert (await verify(client, mailbox.token(ADA))).status_code == 204

        assert (await client.post(f"{ME}/verify-email", headers=headers)).status_code == 202
        await deliver()
        assert len(mailbox.mails(ADA)) == 2

    async def test_whom_an_administrator_creates_with_a_password_may_sign_in(
        self, client: AsyncClient, app: FastAPI, admin: AsyncClient
    ) -> None:
        change(app, REQUIRE_VERIFIED_EMAIL=True)
        assert (await admin.post(USERS, json=user_fields(email=ADA))).status_code == 201

        assert (await login(client)).status_code == 200

    @pytest.mark.usefixtures("ada")
    async def test_a_link_is_of_no_use_for_anything_else(self, client: AsyncClient, mailbox: Mailbox) -> None:
        token = mailbox.token(ADA)

        assert_error(await reset(client, token), 401)
        assert_error(await client.post(CONFIRM, json={"token": token}), 401)


@pytest.mark.usefixtures("ada")
class TestChangeOfAddress:
    @pytest.fixture
    async def me(self, client: AsyncClient) -> AsyncClient:
        client.headers |= bearer(await login(client))
        return client

    async def ask(self, me: AsyncClient, new_email: str = NEW, password: str = PASSWORD) -> Response:
        return await me.post(f"{ME}/email", json={"new_email": new_email, "current_password": password})

    async def test_the_new_address_confirms_and_the_old_one_is_told(
        self, me: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        assert (await self.ask(me)).status_code == 202
        await deliver()
        assert (await me.get(ME)).json()["email"] == ADA

        assert (await me.post(CONFIRM, json={"token": mailbox.token(NEW)})).status_code == 204
        await deliver()

        assert (await me.get(ME)).json()["email"] == NEW
        assert "address" in mailbox.subjects(ADA)[-1]
        assert "was changed" in mailbox.subjects(ADA)[-1]
        assert (await login(me)).status_code == 401
        assert (await login(me, NEW)).status_code == 200

    async def test_it_needs_the_password(self, me: AsyncClient, mailbox: Mailbox, deliver: Deliver) -> None:
        assert_error(await self.ask(me, password="wrong password"), 403)
        await deliver()

        assert mailbox.mails(NEW) == []

    async def test_wrong_passwords_are_limited_like_those_of_signing_in(self, me: AsyncClient) -> None:
        responses = [await self.ask(me, password="wrong password") for _ in range(11)]

        assert [response.status_code for response in responses] == [403] * 10 + [429]

    async def test_an_address_that_somebody_has_gets_the_same_response_and_no_mail(
        self, me: AsyncClient, admin: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        await admin.post(USERS, json=user_fields(email=NEW))

        assert (await self.ask(me)).status_code == 202
        await deliver()

        assert mailbox.mails(NEW) == []

    async def test_a_mail_that_is_late_does_not_outlive_a_new_password(
        self, me: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        await self.ask(me)
        changed = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        assert (await me.post(f"{ME}/password", json=changed)).status_code == 204

        await deliver()

        assert mailbox.mails(NEW) == []

    async def test_an_address_that_was_taken_meanwhile_is_a_conflict(
        self, me: AsyncClient, admin: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        await self.ask(me)
        await deliver()
        await admin.post(USERS, json=user_fields(email=NEW))

        assert_error(await me.post(CONFIRM, json={"token": mailbox.token(NEW)}), 409)
        assert (await me.get(ME)).json()["email"] == ADA

    async def test_a_link_dies_with_another_change(self, me: AsyncClient, mailbox: Mailbox, deliver: Deliver) -> None:
        await self.ask(me)
        await self.ask(me, "ada@third.example.com")
        await deliver()
        assert (await me.post(CONFIRM, json={"token": mailbox.token(NEW)})).status_code == 204

        response = await me.post(CONFIRM, json={"token": mailbox.token("ada@third.example.com")})

        assert_error(response, 401)


class TestInvitation:
    @pytest.fixture
    async def bob(self, admin: AsyncClient, deliver: Deliver) -> str:
        fields = user_fields(email="bob@example.com", role="moderator")
        del fields["password"]
        response = await admin.post(USERS, json=fields)
        assert response.status_code == 201, response.text
        await deliver()
        return "bob@example.com"

    async def test_who_is_invited_chooses_a_password(
        self, client: AsyncClient, app: FastAPI, bob: str, mailbox: Mailbox
    ) -> None:
        change(app, REQUIRE_VERIFIED_EMAIL=True)
        [mail] = mailbox.mails(bob)
        assert "/accept-invitation#token=" in text_of(mail)

        assert (await reset(client, mailbox.token(bob))).status_code == 204

        assert (await login(client, bob, OTHER_PASSWORD)).status_code == 200
        assert_error(await reset(client, mailbox.token(bob)), 401)

    async def test_until_then_no_password_lets_in(self, client: AsyncClient, bob: str) -> None:
        for password in ("none", PASSWORD):
            assert (await login(client, bob, password)).status_code == 401

    async def test_a_forgotten_password_is_another_way_in(
        self, client: AsyncClient, bob: str, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        await client.post(FORGOT, json={"email": bob})
        await deliver()

        assert (await reset(client, mailbox.token(bob))).status_code == 204

    async def test_nobody_else_invites(self, sign_in: SignIn) -> None:
        response = await (await sign_in(Role.MODERATOR)).post(USERS, json=user_fields())

        assert_error(response, 403)

    async def test_null_is_no_password(self, admin: AsyncClient) -> None:
        assert wrong_fields(await admin.post(USERS, json=user_fields(password=None))) == ["password"]


@pytest.mark.usefixtures("ada")
class TestNotices:
    async def test_a_device_that_is_new_is_told_of(
        self, client: AsyncClient, app: FastAPI, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        change(app, SIGN_IN_NOTICE=True)
        mails = len(mailbox.mails(ADA))
        for device in ("Phone", "Phone", "<b>Laptop</b>"):
            client.headers["User-Agent"] = device
            await login(client)
            await deliver()

        told = mailbox.mails(ADA)[mails:]
        assert ["sign-in" in mail["Subject"] for mail in told] == [True, True]
        assert "Phone" in text_of(told[0])
        assert "<b>Laptop" not in text_of(told[1], "html")

    async def test_without_the_setting_nobody_is_told(
        self, client: AsyncClient, mailbox: Mailbox, deliver: Deliver
    ) -> None:
        mails = len(mailbox.mails(ADA))
        await login(client)
        await deliver()

        assert len(mailbox.mails(ADA)) == mails


class TestAccess:
    @pytest.mark.parametrize("path", [f"{ME}/email", f"{ME}/verify-email"])
    async def test_what_is_of_a_user_needs_a_token(self, client: AsyncClient, path: str) -> None:
        assert_error(await client.post(path, json={"new_email": NEW, "current_password": PASSWORD}), 401)

    @pytest.mark.parametrize("path", [FORGOT, RESET, VERIFY, CONFIRM])
    async def test_to_open_a_link_changes_nothing(self, client: AsyncClient, path: str) -> None:
        assert_error(await client.get(path), 405)

    @pytest.mark.parametrize(
        "email",
        [
            "ada@example.com\r\nBcc: eve@example.com",
            '"ada b"@example.com',
            "(hello)ada@example.com",
            "ada@example.com, eve@example.com",
            f"{'a' * 308}@example.com",
            "",
            None,
        ],
    )
    async def test_what_is_no_address_is_refused(self, client: AsyncClient, email: str | None) -> None:
        assert wrong_fields(await client.post(FORGOT, json={"email": email})) == ["email"]

    @pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c\n", f"{'a' * 1000}.b.c", None, 7])
    async def test_what_is_no_token_is_refused(self, client: AsyncClient, token: object) -> None:
        assert wrong_fields(await client.post(VERIFY, json={"token": token})) == ["token"]


@pytest.mark.usefixtures("ada")
async def test_mails_wait_uncounted_while_there_is_no_server(
    app: FastAPI, client: AsyncClient, mailbox: Mailbox, deliver: Deliver, database: Database
) -> None:
    async with running(app, app.state.settings.model_copy(update={"SMTP_URL": None})):
        await client.post(FORGOT, json={"email": ADA})
        assert await deliver() == []
    async with database.reading() as session:
        waiting = select(OutboxMessage.attempts).where(OutboxMessage.delivered_at.is_(None))
        assert (await session.scalars(waiting)).all() == [0]

    app.state.providers.outbox.left_alone.clear()
    await deliver()

    assert len(mailbox.mails(ADA)) == 2
