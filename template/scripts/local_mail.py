"""A mail server that delivers nothing: each e-mail becomes a file. It is a development dependency."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from scripts.ports import free_port


class Mailbox:
    """Writes each e-mail to a file. The names of the files sort by the time of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd calls it)
        """Writes the e-mail, and returns the response to the client that sent it."""
        name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}"
        content = envelope.original_content or b""
        # A file gets its final name only when it is complete, so that nobody reads a part of it.
        part = self.folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(self.folder / f"{name}.eml")
        return "250 OK"


@contextmanager
def local_mail(folder: Path) -> Iterator[str]:
    """Yields the URL of a mail server that writes into this folder. It runs as long as the block."""
    folder.mkdir(parents=True, exist_ok=True)
    controller = Controller(
        Mailbox(folder),
        hostname="127.0.0.1",
        port=free_port(),
        enable_SMTPUTF8=True,
        ready_timeout=60,  # a machine may be busy
        server_hostname="localhost",  # otherwise it asks a name server for our name, and may get no response
    )
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()
