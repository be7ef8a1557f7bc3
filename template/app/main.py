"""Puts the application together. Nothing else happens here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from loguru import logger

from app.api.v1.router import ERROR_RESPONSES, discover_routers
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.core.logging import configure_logging
from app.core.rate_limit import AttemptLimiter
from app.core.security import AccessTokens
from app.middleware.body_limit import BodyLimitMiddleware
from app.middleware.cors import add_cors
from app.middleware.error_handler import ErrorHandlerMiddleware, add_error_handlers
from app.middleware.logging import LoggingMiddleware
from app.middleware.request_id import RequestIDMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.database = Database(settings)
    logger.bind(environment=settings.ENVIRONMENT, version=settings.VERSION).info("started")
    try:
        yield
    finally:
        await app.state.database.close()


def create_app(settings: Settings) -> FastAPI:
    configure_logging(settings)
    is_public = settings.ENVIRONMENT != "production"
    app = FastAPI(
        title=settings.PROJECT_NAME,
        version=settings.VERSION,
        lifespan=lifespan,
        openapi_url="/openapi.json" if is_public else None,
        # A redirect would repeat the Host header, which the client chooses.
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.access_tokens = AccessTokens(settings)
    app.state.attempt_limiter = AttemptLimiter(settings)
    for router in discover_routers():
        app.include_router(router, prefix=settings.API_V1_PREFIX, responses=ERROR_RESPONSES)

    add_error_handlers(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimitMiddleware, max_body_size=settings.MAX_BODY_SIZE)
    app.add_middleware(ErrorHandlerMiddleware)
    add_cors(app, settings)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(LoggingMiddleware)
    app.add_middleware(RequestIDMiddleware)
    return app


app = create_app(get_settings())
