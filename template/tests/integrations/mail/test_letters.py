"""Every template of an e-mail is rendered safely, even with hostile values."""

from datetime import timedelta
from email.headerregistry import Address
from typing import Any

import pytest
from pydantic import NameEmail

from app.core.config import Settings
from app.domain.models.base import utc_now
from app.integrations.mail.letters import TEMPLATES, letter
from tests.integrations.mail.mailbox import link_of, text_of

NAMES = sorted(file.stem for file in TEMPLATES.glob("*.j2") if file.stem not in {"layout", "links"})
LINK = "https://app.example.com/page#token=a.b.c"
HOSTILE = "<script>alert(1)</script> & Bcc: eve@example.com"


def values(**other: Any) -> dict[str, Any]:
    device = {"at": utc_now(), "user_agent": HOSTILE, "client": "192.0.2.1"}
    return {"name": "Ada", "link": LINK, "lifetime": timedelta(minutes=30)} | device | other


@pytest.mark.parametrize("template", NAMES)
def test_a_mail_has_a_subject_a_text_and_the_same_as_html(template: str) -> None:
    mail = letter(Settings(PROJECT_NAME="Shop"), "ada@example.com", template, **values())

    assert "Shop" in mail["Subject"]
    assert text_of(mail).startswith("Hello Ada,\n\n")
    assert text_of(mail).rstrip().endswith("Shop")
    assert "<p>Hello Ada,</p>" in text_of(mail, "html")
    assert mail["Auto-Submitted"] == "auto-generated"
    if LINK in text_of(mail):
        assert link_of(mail) == LINK
        assert "30 minutes" in text_of(mail)


@pytest.mark.parametrize("template", NAMES)
def test_values_are_escaped_in_html_and_left_alone_in_text(template: str) -> None:
    mail = letter(Settings(), "ada@example.com", template, **values(name=HOSTILE))

    assert HOSTILE in text_of(mail)
    assert "<script" not in text_of(mail, "html")


@pytest.mark.parametrize("template", NAMES)
def test_no_value_becomes_a_header(template: str) -> None:
    values_with_lines = values(name="Ada\r\nBcc: eve@example.com", client="\r\nBcc: eve@example.com")
    settings = Settings(PROJECT_NAME="Shop\r\nBcc: eve@example.com")

    mail = letter(settings, "ada@example.com", template, **values_with_lines)

    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]


def test_an_address_with_a_line_break_writes_no_mail() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        letter(Settings(), "ada@example.com\r\nBcc: eve@example.com", NAMES[0], **values())


def test_the_sender_may_have_a_name_in_any_script() -> None:
    settings = Settings(MAIL_FROM=NameEmail("Süß, GmbH", "noreply@example.com"))

    mail = letter(settings, "ada@example.com", NAMES[0], **values())

    assert mail["From"].addresses == (Address("Süß, GmbH", addr_spec="noreply@example.com"),)
