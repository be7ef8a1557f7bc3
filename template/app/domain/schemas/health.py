from typing import Literal

from app.domain.schemas.base import ResponseModel


class HealthResponse(ResponseModel):
    status: Literal["healthy"] = "healthy"
    version: str
    environment: str


class ReadinessResponse(ResponseModel):
    status: Literal["ready"] = "ready"
    checks: dict[str, str]
