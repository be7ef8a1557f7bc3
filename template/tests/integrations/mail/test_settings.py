import pytest

from app.core.config import get_settings
from app.integrations.mail.settings import SmtpServer, smtp_server
from tests.unit.test_config import SAFE, set_environment


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", SmtpServer("mail", 587)),
        ("smtp://mail:25/", SmtpServer("mail", 25)),
        ("smtps://mail", SmtpServer("mail", 465, use_tls=True)),
        ("smtp://ada:p%40ss@mail:2525", SmtpServer("mail", 2525, "ada", "p@ss")),
        ("smtp://mail?starttls=true", SmtpServer("mail", 587, start_tls=True)),
        ("smtp://mail?starttls=false", SmtpServer("mail", 587, start_tls=False)),
        ("smtp://[::1]:25", SmtpServer("::1", 25)),
    ],
)
def test_a_url_says_where_the_server_is(url: str, server: SmtpServer) -> None:
    assert smtp_server(url) == server


@pytest.mark.parametrize(
    "value",
    [
        "mail:25",
        "http://ada:hunter2@mail",
        "smtp://",
        "smtp://ada:hunter2@mail:port",
        "smtp://mail/inbox",
        "smtp://mail?starttls=maybe",
        "smtp://mail?tls=true",
        "smtps://mail?starttls=true",
        "smtp://mail?x",
    ],
)
def test_a_wrong_url_stops_the_start_by_name_and_without_its_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    set_environment(monkeypatch, SMTP_URL=value)

    with pytest.raises(SystemExit, match="SMTP_URL: must") as stopped:
        get_settings()

    assert "hunter2" not in str(stopped.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@example.com\nBcc: b@example.com"),
        ("FRONTEND_URL", "javascript:alert(1)"),
        ("FRONTEND_URL", "https://app.example.com/#here"),
        ("MAIL_RATE_LIMIT", "often"),
        ("RESET_LINK_MINUTES", "0"),
    ],
)
def test_other_wrong_settings_stop_the_start_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    set_environment(monkeypatch, **{name: value})

    with pytest.raises(SystemExit, match=name):
        get_settings()


def test_a_deployment_that_sends_says_from_whom_and_where_links_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, **SAFE, SMTP_URL="smtps://mail", FRONTEND_URL="http://app.example.com")

    with pytest.raises(SystemExit, match="MAIL_FROM must be set; FRONTEND_URL must be set to an https:// address"):
        get_settings()


def test_a_deployment_that_does_not_send_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, **SAFE, SMTP_URL="")

    assert get_settings().SMTP_URL is None
