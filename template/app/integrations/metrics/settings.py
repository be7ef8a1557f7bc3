"""The settings of the metrics."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, SecretStr

MINIMUM_BYTES = 32
# Few different characters cannot hold as many random bits.
MINIMUM_CHARACTERS = 10


def _random_token(token: SecretStr) -> SecretStr:
    value = token.get_secret_value().encode()
    if len(value) < MINIMUM_BYTES or len(set(value)) < MINIMUM_CHARACTERS:
        raise ValueError(f"must be random, of at least {MINIMUM_BYTES} bytes")
    return token


class MetricsSettings(BaseModel):
    """The settings of the metrics."""

    METRICS_TOKEN: Annotated[SecretStr, AfterValidator(_random_token)] | None = None
