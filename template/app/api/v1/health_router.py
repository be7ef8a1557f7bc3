import asyncio
from collections.abc import Awaitable, Callable

from fastapi import Request
from loguru import logger

from app.api.deps import DatabaseDep, ShutdownDep
from app.api.errors import errors
from app.api.routing import ResourceRouter
from app.core.config import Settings
from app.core.database import PING_TIMEOUT
from app.core.exceptions import ServiceUnavailableError
from app.domain.schemas.health import HealthResponse, ReadinessResponse

router = ResourceRouter(prefix="/health", tags=["health"])


@router.get("")
async def live(request: Request) -> HealthResponse:
    """Whether the process answers. Touches nothing else, so that no outage restarts it."""
    settings: Settings = request.app.state.settings
    return HealthResponse(version=settings.VERSION, environment=settings.ENVIRONMENT)


@router.get("/ready", responses=errors(503))
async def ready(request: Request, database: DatabaseDep, shutdown: ShutdownDep) -> ReadinessResponse:
    """Whether requests should be sent here: the process is not about to stop, and what it needs answers in time.

    What it can do without is reported, and changes nothing.
    """
    if shutdown.is_announced:
        raise ServiceUnavailableError({"process": "stopping"})
    checks = {name: await _state(ping) for name, ping in request.app.state.reported_checks.items()}
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await database.ping()
    except Exception as error:
        logger.bind(error=type(error).__name__).warning("not ready: the database does not answer")
        raise ServiceUnavailableError({"database": "unavailable"} | checks) from error
    return ReadinessResponse(checks={"database": "ok"} | checks)


async def _state(ping: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await ping()
    except Exception:  # noqa: BLE001 (whatever it is, there is no answer)
        return "unavailable"
    return "ok"
