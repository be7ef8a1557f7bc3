"""Settings, read once from environment variables, `.env` and mounted secret files.

`.env.example` describes every setting with its unit and default.
"""

import re
import secrets
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from limits import parse
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

ROOT = Path(__file__).resolve().parents[2]
SECRETS_DIRECTORY = Path("/run/secrets")

# RFC 7518, 3.2: an HS256 key holds at least 256 bits. Few different characters cannot hold them.
MINIMUM_KEY_BYTES = 32
MINIMUM_KEY_CHARACTERS = 10

_pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# The name of the project as a distribution: tokens name it as their issuer and audience.
DISTRIBUTION: str = _pyproject["project"]["name"]


def _asyncpg_url(url: SecretStr) -> SecretStr:
    """Accepts the URL in the forms in which hosting services and libpq give it."""
    value = re.sub(r"^postgres(ql)?(\+asyncpg)?://", "postgresql+asyncpg://", url.get_secret_value())
    if not value.startswith("postgresql+asyncpg://"):
        raise ValueError("must start with postgresql://")
    # libpq and hosting services say `sslmode`, asyncpg says `ssl`.
    return SecretStr(re.sub(r"([?&])sslmode=", r"\1ssl=", value))


def _rate_limit(value: str) -> str:
    try:
        parse(value)
    except ValueError:
        raise ValueError("must look like 10/minute") from None
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_asyncpg_url)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        secrets_dir=SECRETS_DIRECTORY if SECRETS_DIRECTORY.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    PROJECT_NAME: str = _pyproject["tool"]["app"]["title"]
    VERSION: str = _pyproject["project"]["version"]
    ENVIRONMENT: Literal["development", "test", "staging", "production"] = "development"
    DEBUG: bool = False
    API_V1_PREFIX: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] = "/api/v1"
    HOST: str = "127.0.0.1"
    PORT: Annotated[int, Field(ge=1, le=65535)] = 8000

    DATABASE_URL: DatabaseUrl | None = None
    DB_POOL_SIZE: PositiveInt = 20
    DB_MAX_OVERFLOW: Annotated[int, Field(ge=0)] = 0
    DB_POOL_TIMEOUT: PositiveFloat = 3.0
    DB_STATEMENT_TIMEOUT: PositiveFloat = 5.0

    JWT_SECRET_KEY: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(48)))
    ACCESS_TOKEN_EXPIRE_MINUTES: PositiveInt = 15
    REFRESH_TOKEN_EXPIRE_DAYS: PositiveInt = 30
    REGISTRATION_ENABLED: bool = False
    LOGIN_RATE_LIMIT: Annotated[str, AfterValidator(_rate_limit)] = "10/minute"

    CORS_ORIGINS: list[str] = []
    CORS_ALLOW_CREDENTIALS: bool = False
    CORS_ALLOW_METHODS: list[str] = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    CORS_ALLOW_HEADERS: list[str] = ["Authorization", "Content-Type", "X-Request-ID"]

    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    LOG_FORMAT: Literal["json", "text"] = Field(
        default_factory=lambda values: "text" if values.get("ENVIRONMENT") == "development" else "json"
    )

    MAX_BODY_SIZE: PositiveInt = 1024 * 1024

    FIRST_ADMIN_EMAIL: str | None = None
    FIRST_ADMIN_PASSWORD: SecretStr | None = None

    @property
    def database_url(self) -> str:
        """Raises SystemExit, with a sentence that says what to do, when there is no database to use."""
        if self.DATABASE_URL is None:
            raise SystemExit("DATABASE_URL is not set: set it, or use `make dev`, which starts a local PostgreSQL.")
        return self.DATABASE_URL.get_secret_value()

    @property
    def signing_keys(self) -> list[bytes]:
        """The first signs, all verify: a new key is put in front, the old one stays until its tokens have expired."""
        return [key.strip().encode() for key in self.JWT_SECRET_KEY.get_secret_value().split(",")]

    @property
    def is_deployed(self) -> bool:
        return self.ENVIRONMENT in ("staging", "production")

    @model_validator(mode="after")
    def _refuse_unsafe_deployment(self) -> Self:
        if self.is_deployed and (problems := list(self._unsafe())):
            raise ValueError(f"unsafe for {self.ENVIRONMENT}: {'; '.join(problems)}")
        return self

    def _unsafe(self) -> Iterator[str]:
        if self.DATABASE_URL is None:
            yield "DATABASE_URL must be set"
        if "JWT_SECRET_KEY" not in self.model_fields_set:
            yield "JWT_SECRET_KEY must be set"
        if any(_is_weak(key) for key in self.signing_keys):
            yield f"JWT_SECRET_KEY must hold random keys of at least {MINIMUM_KEY_BYTES} bytes"
        if self.DEBUG:
            yield "DEBUG must be false"
        if "*" in self.CORS_ORIGINS and self.CORS_ALLOW_CREDENTIALS:
            yield 'CORS_ORIGINS must not hold "*" while CORS_ALLOW_CREDENTIALS is true'


def _is_weak(key: bytes) -> bool:
    return len(key) < MINIMUM_KEY_BYTES or len(set(key)) < MINIMUM_KEY_CHARACTERS


@lru_cache
def get_settings() -> Settings:
    """The settings of this process.

    Raises SystemExit with one line for each wrong setting, never with its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            ": ".join([*map(str, detail["loc"]), detail["msg"].removeprefix("Value error, ")])
            for detail in error.errors(include_url=False, include_input=False)
        ]
    except SettingsError as error:  # a list that is not JSON; the sentence names the setting
        lines = [str(error)]
    raise SystemExit("The settings are not valid.\n" + "\n".join(f"  {line}" for line in lines))
