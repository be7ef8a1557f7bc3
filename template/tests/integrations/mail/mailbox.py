"""Receives e-mails by SMTP into a mailbox, and reads them."""

import email
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path


@dataclass(frozen=True)
class Mailbox:
    """A local mail server's URL, and the folder that it writes into."""

    url: str
    folder: Path

    def mails(self, to: str) -> list[EmailMessage]:
        """Returns the e-mails to this address, oldest first."""
        files = sorted(self.folder.glob("*.eml"))
        mails = [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]
        return [mail for mail in mails if mail["To"] == to]

    def subjects(self, to: str) -> list[str]:
        return [mail["Subject"] for mail in self.mails(to)]

    def token(self, to: str) -> str:
        """Returns the token of the link in the last e-mail to this address."""
        return token_of(self.mails(to)[-1])


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Returns the text that people read; the kind `html` is the other version of it."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def link_of(mail: EmailMessage) -> str:
    """Returns the one link of an e-mail, which must be the same in both versions."""
    [link] = set(re.findall(r"https?://[^\s\"<]+", text_of(mail) + text_of(mail, "html")))
    return str(link)


def token_of(mail: EmailMessage) -> str:
    return link_of(mail).partition("#token=")[2]
