"""The settings of e-mail."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from limits import parse
from pydantic import AfterValidator, BaseModel, Field, NameEmail, PositiveInt, SecretStr

# The ports of submission (RFC 8314, 3.3; RFC 6409, 3.1).
PORTS = {"smtps": 465, "smtp": 587}
URL_ERRORS = (ValueError, KeyError)
STARTTLS = {"true": True, "false": False, "": None}


@dataclass(frozen=True)
class SmtpServer:
    """The server that sends e-mails, and how to connect to it."""

    hostname: str
    port: int
    username: str | None = None
    password: str | None = None
    use_tls: bool = False
    # Whether to insist on STARTTLS; None uses it if the server offers it.
    start_tls: bool | None = None


def smtp_server(url: str) -> SmtpServer:
    """Returns the server of this URL. Raises ValueError, which repeats no part of the URL."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        port = parts.port or PORTS[parts.scheme]
        start_tls = STARTTLS[query.pop("starttls", "")]
    except URL_ERRORS:
        raise ValueError("must look like smtps://user:password@host:465 or smtp://host:587") from None
    use_tls = parts.scheme == "smtps"
    if not parts.hostname or query or parts.path not in ("", "/") or (use_tls and start_tls is not None):
        raise ValueError("must name a host, and nothing but ?starttls=true or ?starttls=false with smtp://")
    username, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return SmtpServer(parts.hostname, port, username, password, use_tls, start_tls)


def _smtp_url(url: SecretStr) -> SecretStr:
    smtp_server(url.get_secret_value())
    return url


def _rate_limit(value: str) -> str:
    try:
        parse(value)
    except ValueError:
        raise ValueError("must look like 20/hour") from None
    return value


def _without_last_slash(value: str) -> str:
    return value.rstrip("/")


FrontendUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$"), AfterValidator(_without_last_slash)]


class MailSettings(BaseModel):
    """The settings of e-mail."""

    SMTP_URL: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = None
    MAIL_FROM: NameEmail = NameEmail("", "noreply@example.com")
    FRONTEND_URL: FrontendUrl = "http://localhost:3000"
    MAIL_RATE_LIMIT: Annotated[str, AfterValidator(_rate_limit)] = "20/hour"
    RESET_LINK_MINUTES: PositiveInt = 30
    REQUIRE_VERIFIED_EMAIL: bool = False
    SIGN_IN_NOTICE: bool = False

    def unsafe(self) -> Iterator[str]:
        """Yields what is wrong with these settings in production."""
        if self.SMTP_URL is None:
            return
        if "MAIL_FROM" not in self.model_fields_set:
            yield "MAIL_FROM must be set"
        if not self.FRONTEND_URL.startswith("https://"):
            yield "FRONTEND_URL must be set to an https:// address"
