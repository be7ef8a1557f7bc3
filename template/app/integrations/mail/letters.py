"""Writes mails from the templates beside: one file a mail, with its subject, its text and its HTML."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import NameEmail

from app.core.config import Settings

TEMPLATES = Path(__file__).parent / "templates"
_loader = FileSystemLoader(TEMPLATES)
_text = Environment(loader=_loader, undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 (plain text)
_html = _text.overlay(autoescape=True)


def letter(settings: Settings, to: str, template: str, **values: object) -> EmailMessage:
    """The mail of this template, with these values, to this address."""
    known = {"project": settings.PROJECT_NAME, **values}

    def part(environment: Environment, name: str) -> str:
        return environment.get_template(f"{template}.j2").render(known, part=name).strip() + "\n"

    message = EmailMessage()
    message["Subject"] = " ".join(part(_text, "subject").split())
    message["From"] = _sender(settings.MAIL_FROM)
    message["To"] = to
    message["Date"] = formatdate()
    # Of a machine that nobody shall answer (RFC 3834, 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(part(_text, "text"))
    message.add_alternative(part(_html, "html"), subtype="html")
    return message


def _sender(sender: NameEmail) -> Address:
    return Address(sender.name, addr_spec=sender.email)
