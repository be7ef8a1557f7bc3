"""Sends e-mails by the server of `SMTP_URL`."""

from dataclasses import replace
from email.message import EmailMessage

import aiosmtplib

from app.core.config import Settings
from app.integrations.mail.settings import SmtpServer, smtp_server
from app.service.handlers import DeliveryError

# In seconds, for each step of the conversation.
TIMEOUT = 10.0
# A server that refuses an e-mail with this code, or a higher one, will never take it (RFC 5321, 4.2.1).
PERMANENT = 500


async def send(settings: Settings, message: EmailMessage, to: str) -> None:
    """Sends the e-mail. Raises DeliveryError, which repeats nothing that the server said: it may hold the address."""
    try:
        await aiosmtplib.send(
            message,
            sender=settings.MAIL_FROM.email,
            recipients=[to],
            timeout=TIMEOUT,
            **vars(server_of(settings)),
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused("the address", error.recipients[0].code) from None
    except aiosmtplib.SMTPDataError as error:
        raise _refused("the e-mail", error.code) from None
    except aiosmtplib.SMTPResponseException as error:
        raise DeliveryError(f"The mail server refused the connection, with the code {error.code}.") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise DeliveryError(f"The mail server is not available: {type(error).__name__}.") from None


def server_of(settings: Settings) -> SmtpServer:
    """Returns where and how to connect; a deployment and a user name require STARTTLS unless the URL says otherwise.

    Raises DeliveryError without a URL.
    """
    if settings.SMTP_URL is None:
        raise DeliveryError("SMTP_URL is not set.")
    server = smtp_server(settings.SMTP_URL.get_secret_value())
    if server.use_tls or server.start_tls is not None:
        return server
    insists = settings.is_deployed or server.username is not None
    return replace(server, start_tls=insists or None)


def _refused(what: str, code: int) -> DeliveryError:
    return DeliveryError(f"The mail server refused {what}, with the code {code}.", final=code >= PERMANENT)
