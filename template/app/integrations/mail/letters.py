"""Writes e-mails from `templates/`: each has one file, with its subject, its text and its HTML."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.core.config import Settings

TEMPLATES = Path(__file__).parent / "templates"
_html = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_text = _html.overlay(autoescape=False)


def letter(settings: Settings, to: str, template: str, **values: object) -> EmailMessage:
    """Returns the e-mail that this template makes of these values, to this address."""
    known = {"project": settings.PROJECT_NAME, **values}

    def part(environment: Environment, name: str) -> str:
        return environment.get_template(f"{template}.j2").render(known, part=name).strip() + "\n"

    message = EmailMessage()
    message["Subject"] = " ".join(part(_text, "subject").split())
    message["From"] = Address(settings.MAIL_FROM.name, addr_spec=settings.MAIL_FROM.email)
    message["To"] = to
    message["Date"] = formatdate()
    # It asks other machines not to reply (RFC 3834, 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(part(_text, "text"))
    message.add_alternative(part(_html, "html"), subtype="html")
    return message
