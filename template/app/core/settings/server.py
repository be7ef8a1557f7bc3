"""The settings of the server's address, and the way in which all settings are read.

This module loads quickly, since the health check imports it every few seconds.
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

# The other sources of settings, besides the environment.
ENV_FILE = os.environ.get("ENV_FILE", ".env")
SECRETS_DIRECTORY = Path(os.environ.get("SECRETS_DIRECTORY", "/run/secrets"))

DEFAULT_HOST = "127.0.0.1"


def _host(value: str) -> str:
    """Ignores a host name: csh and conda set HOST to the name of the machine or the compiler's target."""
    if value == "localhost":
        return value
    try:
        return str(ip_address(value))
    except ValueError:
        return DEFAULT_HOST


def _without_last_slash(value: object) -> object:
    return value.rstrip("/") if isinstance(value, str) else value


class ServerSettings(BaseSettings):
    """The settings of the server, read from the environment, else from `.env`, else from a mounted secret file."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        # Some editors begin a file with a byte order mark.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        secrets_dir=SECRETS_DIRECTORY if SECRETS_DIRECTORY.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    ENVIRONMENT: Literal["development", "test", "staging", "production"] = "development"
    API_V1_PREFIX: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] = "/api/v1"
    ROOT_PATH: Annotated[str, BeforeValidator(_without_last_slash), Field(pattern=r"^((/[A-Za-z0-9._~-]+)+)?$")] = ""
    HOST: Annotated[str, AfterValidator(_host)] = DEFAULT_HOST
    PORT: Annotated[int, Field(ge=1, le=65535)] = 8000
    WEB_CONCURRENCY: PositiveInt = 1
    FORWARDED_ALLOW_IPS: str = "127.0.0.1,::1"

    @property
    def has_documentation(self) -> bool:
        """Returns whether `/docs` and the OpenAPI document are served."""
        return self.ENVIRONMENT != "production"

    @model_validator(mode="after")
    def _tell_paths_apart(self) -> Self:
        """Refuses a prefix that begins with ROOT_PATH: nobody could tell whether the proxy had removed it."""
        if self.ROOT_PATH and f"{self.API_V1_PREFIX}/".startswith(f"{self.ROOT_PATH}/"):
            raise ValueError("API_V1_PREFIX must not begin with ROOT_PATH, which is put before it automatically")
        return self


def read_settings[Kind: BaseSettings](kind: type[Kind]) -> Kind:
    """Returns the settings. Raises SystemExit with one line for each wrong setting, never with its value."""
    try:
        _refuse_other_encodings(kind)
        return kind()
    except ValidationError as error:
        lines = [
            ": ".join([*map(str, detail["loc"]), detail["msg"].removeprefix("Value error, ")])
            for detail in error.errors(include_url=False, include_input=False)
            if detail["type"] != "default_factory_not_called"  # follows from another fault
        ]
    except SettingsError as error:  # a list that is not JSON; the sentence names the setting
        lines = [str(error)]
    except UnicodeDecodeError:
        lines = [f"A file in {SECRETS_DIRECTORY} is not in UTF-8."]
    raise SystemExit("The settings are not valid.\n" + "\n".join(f"  {line}" for line in lines))


def _refuse_other_encodings(kind: type[BaseSettings]) -> None:
    """Refuses UTF-16, which some editors write: read as UTF-8, it would contain none of our names."""
    file = kind.model_config.get("env_file")
    if not isinstance(file, str) or not Path(file).is_file():
        return
    try:
        is_text = "\0" not in Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        is_text = False
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    if not is_text:
        raise SettingsError(f"{file} is not in UTF-8: save it in that encoding.")
