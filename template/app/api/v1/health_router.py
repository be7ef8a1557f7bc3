import asyncio

from fastapi import APIRouter, Request
from loguru import logger

from app.api.deps import DatabaseDep
from app.core.config import Settings
from app.core.database import PING_TIMEOUT
from app.core.exceptions import ServiceUnavailableError
from app.domain.schemas.health import HealthResponse, ReadinessResponse

router = APIRouter(prefix="/health", tags=["health"])


@router.get("")
async def live(request: Request) -> HealthResponse:
    """Whether the process answers. Touches nothing else, so that no outage restarts it."""
    settings: Settings = request.app.state.settings
    return HealthResponse(version=settings.VERSION, environment=settings.ENVIRONMENT)


@router.get("/ready")
async def ready(database: DatabaseDep) -> ReadinessResponse:
    """Whether requests should be sent here: every service that they need answers in time."""
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await database.ping()
    except Exception as error:
        logger.bind(error=type(error).__name__).warning("not ready: the database does not answer")
        raise ServiceUnavailableError({"database": "unavailable"}) from error
    return ReadinessResponse(checks={"database": "ok"})
