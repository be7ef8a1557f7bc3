import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from loguru import logger

from app.api.deps import ProvidersDep, settings_of
from app.api.errors import errors
from app.core.database import PING_TIMEOUT
from app.core.database_errors import reason, refusal
from app.core.exceptions import ServiceUnavailableError
from app.domain.schemas.health import HealthResponse, ReadinessResponse

router = APIRouter(prefix="/health", tags=["health"])


@router.get("")
async def live(request: Request) -> HealthResponse:
    """Responds while the process runs. It depends on nothing else, so that an outage elsewhere causes no restart."""
    settings = settings_of(request)
    return HealthResponse(version=settings.VERSION, environment=settings.ENVIRONMENT)


@router.get("/ready", responses=errors(503))
async def ready(providers: ProvidersDep) -> ReadinessResponse:
    """Tells a load balancer whether to send requests here: the process is not stopping, and the database responds.

    Services that the application can do without are reported, but do not change the status.
    """
    if providers.shutdown.is_announced:
        raise ServiceUnavailableError({"process": "stopping"})
    checks = {name: await _state(ping) for name, ping in providers.reported_checks.items()}
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await providers.database.ping()
    except Exception as error:
        log = logger.bind(error=type(error).__name__, reason=reason(error))
        log.warning("not ready: the database does not respond")
        raise ServiceUnavailableError({"database": refusal(error)} | checks) from error
    return ReadinessResponse(checks={"database": "ok"} | checks)


async def _state(ping: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await ping()
    except Exception:  # noqa: BLE001 (whatever it is, there is no response)
        return "unavailable"
    return "ok"
