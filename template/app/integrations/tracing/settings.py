"""The settings of the traces."""

from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, Field, SecretStr


def _headers(headers: SecretStr) -> SecretStr:
    value = headers.get_secret_value()
    if value and not all("=" in header for header in value.split(",")):
        raise ValueError("must look like name=value,name=value")
    return headers


class TracingSettings(BaseModel):
    """The settings of tracing."""

    OTEL_EXPORTER_OTLP_ENDPOINT: AnyHttpUrl | None = None
    OTEL_EXPORTER_OTLP_HEADERS: Annotated[SecretStr, AfterValidator(_headers)] = SecretStr("")
    # Without one, the name of the project.
    OTEL_SERVICE_NAME: Annotated[str, Field(min_length=1)] | None = None
    OTEL_TRACES_SAMPLER_ARG: Annotated[float, Field(ge=0, le=1)] = 1.0
