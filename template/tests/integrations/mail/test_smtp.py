"""E-mails are sent safely, even if a server is frozen, busy, refusing, without TLS or with a foreign certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from app.core.config import Settings
from app.integrations.mail import smtp
from app.integrations.mail.letters import letter
from app.service.handlers import DeliveryError
from scripts.local_mail import Mailbox as Files
from scripts.ports import free_port
from tests.integrations.mail.mailbox import Mailbox

ADA = "ada@example.com"
LETTER = {"name": "Ada", "link": "https://app.example.com", "lifetime": timedelta(minutes=1)}


async def send(url: str, to: str = ADA, **settings: Any) -> None:
    known = Settings(SMTP_URL=SecretStr(url), **settings)
    await smtp.send(known, letter(known, to, "verify_email", **LETTER), to)


@contextmanager
def serving(handler: object, **options: Any) -> Iterator[str]:
    """Yields the address of a server with these options."""
    options |= {"ready_timeout": 60, "server_hostname": "localhost"}
    controller = Controller(handler, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield f"127.0.0.1:{controller.port}"
    finally:
        controller.stop()


class Refusing:
    """Gives these replies to an address and to an e-mail."""

    def __init__(self, to_address: str, to_mail: str = "250 OK") -> None:
        self.to_address, self.to_mail = to_address, to_mail

    async def handle_RCPT(self, _: object, __: object, envelope: Any, address: str, ___: object) -> str:  # noqa: N802 (aiosmtpd calls it)
        envelope.rcpt_tos.append(address)
        return self.to_address

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 (aiosmtpd calls it)
        return self.to_mail


@pytest.mark.parametrize(
    ("handler", "is_final", "says"),
    [
        (Refusing("450 greylisted"), False, "refused the address, with the code 450"),
        (Refusing("550 nobody here called ada@example.com"), True, "refused the address, with the code 550"),
        (Refusing("250 OK", "451 later"), False, "refused the e-mail, with the code 451"),
        (Refusing("250 OK", "554 spam"), True, "refused the e-mail, with the code 554"),
    ],
)
async def test_what_is_refused_for_now_is_tried_again_and_what_is_refused_for_good_is_not(
    handler: Refusing, is_final: bool, says: str
) -> None:
    with serving(handler) as place, pytest.raises(DeliveryError, match=says) as failed:
        await send(f"smtp://{place}")

    assert failed.value.final is is_final
    assert ADA not in str(failed.value)


@asynccontextmanager
async def raw_server(work: Callable[..., Any]) -> AsyncIterator[str]:
    server = await asyncio.start_server(work, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT", 0.2)
    frozen = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await frozen.wait()
        writer.close()

    async with raw_server(say_nothing) as place:
        with pytest.raises(DeliveryError, match="not available: SMTP"):
            await send(f"smtp://{place}")
        frozen.set()


async def test_a_server_that_is_away_or_hangs_up_is_tried_again() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(DeliveryError, match="not available"):
        await send(f"smtp://127.0.0.1:{free_port()}")
    async with raw_server(hang_up) as place:
        with pytest.raises(DeliveryError, match="not available"):
            await send(f"smtp://{place}")


async def test_an_address_in_any_script_is_reached(mailbox: Mailbox) -> None:
    await send(mailbox.url, "jürgen@exämple.com")

    assert len(list(mailbox.folder.glob("*.eml"))) == 1


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """Returns an authority whose certificates this machine trusts during the test."""
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def count(folder: Path) -> int:
    return len(list(folder.iterdir()))


class TestTLS:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "mails"
        folder.mkdir()
        return folder

    @pytest.fixture
    def serve(self, folder: Path) -> Iterator[Callable[..., str]]:
        with ExitStack() as stack:
            yield lambda **options: stack.enter_context(serving(Files(folder), **options))

    async def test_starttls_is_used_where_it_is_offered(
        self, serve: Callable[..., str], authority: trustme.CA, folder: Path
    ) -> None:
        place = serve(tls_context=context(authority), require_starttls=True)

        await send(f"smtp://{place}")

        assert count(folder) == 1

    @pytest.mark.parametrize("url", ["smtp://{}", "smtp://{}?starttls=true"])
    async def test_a_certificate_of_somebody_else_is_refused(
        self, serve: Callable[..., str], authority: trustme.CA, folder: Path, url: str
    ) -> None:
        unknown = serve(tls_context=context(trustme.CA()))
        other_name = serve(tls_context=context(authority, "mail.example.com"))

        for place in (unknown, other_name):
            with pytest.raises(DeliveryError, match="not available"):
                await send(url.format(place))

        assert count(folder) == 0

    async def test_a_deployment_and_a_password_demand_starttls_unless_told_otherwise(
        self, serve: Callable[..., str], folder: Path
    ) -> None:
        place = serve(auth_require_tls=False, authenticator=lambda *_: AuthResult(success=True))

        with pytest.raises(DeliveryError, match="not available"):
            await send(f"smtp://ada:secret@{place}")
        deployed = Settings(SMTP_URL=SecretStr(f"smtp://{place}")).model_copy(update={"ENVIRONMENT": "production"})
        with pytest.raises(DeliveryError, match="not available"):
            await smtp.send(deployed, letter(deployed, ADA, "verify_email", **LETTER), ADA)
        assert count(folder) == 0

        await send(f"smtp://ada:secret@{place}?starttls=false")
        assert count(folder) == 1

    async def test_a_wrong_password_is_no_reason_to_give_up(
        self, serve: Callable[..., str], authority: trustme.CA
    ) -> None:
        place = serve(tls_context=context(authority), authenticator=lambda *_: AuthResult(success=False, handled=False))

        with pytest.raises(DeliveryError, match="refused the connection, with the code 535") as failed:
            await send(f"smtp://ada:hunter2@{place}")

        assert not failed.value.final
        assert "hunter2" not in str(failed.value)
