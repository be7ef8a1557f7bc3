"""The settings of Sentry."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, SecretStr
from sentry_sdk.utils import Dsn


def _sentry_dsn(dsn: SecretStr) -> SecretStr:
    try:
        Dsn(dsn.get_secret_value())
    except ValueError:
        raise ValueError("must look like https://key@host/project") from None
    return dsn


class SentrySettings(BaseModel):
    """The settings of Sentry."""

    SENTRY_DSN: Annotated[SecretStr, AfterValidator(_sentry_dsn)] | None = None
