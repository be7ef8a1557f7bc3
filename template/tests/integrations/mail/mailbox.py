"""A mailbox that mails reach by SMTP, and what is read in it."""

import email
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path


@dataclass(frozen=True)
class Mailbox:
    """The folder that a local mail server writes into, and its URL."""

    url: str
    folder: Path

    def mails(self, to: str) -> list[EmailMessage]:
        """Those to this address, in their order."""
        files = sorted(self.folder.glob("*.eml"))
        mails = [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]
        return [mail for mail in mails if mail["To"] == to]

    def subjects(self, to: str) -> list[str]:
        return [mail["Subject"] for mail in self.mails(to)]

    def token(self, to: str) -> str:
        """Of the link in the last mail to this address."""
        return token_of(self.mails(to)[-1])


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The text that people read; `html` is the other form."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def link_of(mail: EmailMessage) -> str:
    """The one link of a mail, which both of its forms have."""
    [link] = set(re.findall(r"https?://[^\s\"<]+", text_of(mail) + text_of(mail, "html")))
    return str(link)


def token_of(mail: EmailMessage) -> str:
    return link_of(mail).partition("#token=")[2]
