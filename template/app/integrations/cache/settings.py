"""The settings of the cache."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, PositiveFloat, SecretStr


def _redis_url(url: SecretStr) -> SecretStr:
    """Valkey and Redis speak the same protocol, but the client knows only the scheme of Redis."""
    scheme, separator, place = url.get_secret_value().partition("://")
    value = re.sub(r"^valkey", "redis", scheme.lower()) + separator + place
    if not re.match(r"rediss?://[^/?]+(/\d+)?(\?|$)", value):
        raise ValueError("must look like redis://host:6379/0")
    return SecretStr(value)


class CacheSettings(BaseModel):
    """The settings of the cache."""

    CACHE_URL: Annotated[SecretStr, AfterValidator(_redis_url)] | None = None
    CACHE_TIMEOUT: PositiveFloat = 0.25

    @property
    def cache_url(self) -> str:
        """The URL of the cache. Raises SystemExit, with a sentence that says what to do, if there is none."""
        if self.CACHE_URL is None:
            raise SystemExit("CACHE_URL is not set: set it, or use `make dev`, which starts a local Valkey.")
        return self.CACHE_URL.get_secret_value()

    def unsafe(self) -> Iterator[str]:
        """Yields what is wrong with these settings in production."""
        if self.CACHE_URL is None:
            yield "CACHE_URL must be set"
