from typing import Literal

from app.domain.schemas.base import ResponseModel


class HealthResponse(ResponseModel):
    """The process runs."""

    status: Literal["healthy"] = "healthy"
    version: str
    environment: str


class ReadinessResponse(ResponseModel):
    """The readiness of the process to serve requests, with the state of each service that it needs."""

    status: Literal["ready"] = "ready"
    checks: dict[str, str]
