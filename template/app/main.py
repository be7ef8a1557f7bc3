"""Puts the application together. Nothing else happens here."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from loguru import logger

from app.api.deps import Providers
from app.api.errors import errors
from app.api.idempotency import RepeatedRequestError, answer_again
from app.api.openapi import document_operations
from app.api.v1.router import discover_routers
from app.core.config import Settings, get_settings
from app.core.logging import configure_logging
from app.integrations.discovery import install_integrations, run_integrations
from app.middleware.body_limit import BodyLimitMiddleware
from app.middleware.cors import add_cors
from app.middleware.error_handler import ErrorHandlerMiddleware, add_error_handlers
from app.middleware.head import HeadMiddleware
from app.middleware.logging import LoggingMiddleware
from app.middleware.request_id import RequestIDMiddleware
from app.middleware.response import ResponseMiddleware
from app.middleware.root_path import add_root_path
from app.service.handlers import discover_handlers


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Runs everything that requests need; a process without a server enters it too."""
    providers: Providers = app.state.providers
    async with AsyncExitStack() as stack:
        stack.push_async_callback(providers.database.close)
        await run_integrations(app, stack)
        await stack.enter_async_context(providers.outbox.running())
        collect_less_garbage()
        yield


def collect_less_garbage() -> None:
    """Exempts the objects of start-up, which live as long as the process, and makes collections rarer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Announces the start, and the shutdown when it begins."""
    settings: Settings = app.state.settings
    providers: Providers = app.state.providers
    async with running(app):
        logger.bind(environment=settings.ENVIRONMENT, version=settings.VERSION).info("started")
        with providers.shutdown.announced():
            yield


def create_app(settings: Settings) -> FastAPI:
    """Builds the application for these settings. It connects to nothing."""
    configure_logging(settings)
    is_public = settings.has_documentation
    monitoring = {"/metrics", f"{settings.API_V1_PREFIX}/health", f"{settings.API_V1_PREFIX}/health/ready"}
    app = FastAPI(
        title=settings.PROJECT_NAME,
        version=settings.VERSION,
        lifespan=lifespan,
        openapi_url="/openapi.json" if is_public else None,
        # A redirect would repeat the Host header, which the client chooses.
        redirect_slashes=False,
        # Requests are traced where OpenTelemetry has a tracer provider, except those that monitoring sends.
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"].removeprefix(settings.ROOT_PATH) in monitoring,
        },
    )
    app.state.settings = settings
    app.state.providers = Providers(settings)
    for router in discover_routers():
        app.include_router(router, prefix=settings.API_V1_PREFIX, responses=errors(500))

    add_error_handlers(app)
    app.add_exception_handler(RepeatedRequestError, answer_again)
    # The last one added is the first to see a request.
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodyLimitMiddleware, max_body_size=settings.MAX_BODY_SIZE)
    app.add_middleware(ErrorHandlerMiddleware)
    add_cors(app, settings)
    install_integrations(app, settings)
    discover_handlers()
    app.add_middleware(LoggingMiddleware)
    app.add_middleware(ResponseMiddleware)
    app.add_middleware(RequestIDMiddleware)
    add_root_path(app, settings)
    document_operations(app)
    return app


app = create_app(get_settings())
