"""Wires the cache into the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from app.api.deps import Providers
from app.core.config import Settings
from app.core.rate_limit import AttemptLimiter, RegistrationLimiter
from app.integrations.cache.client import Cache
from app.integrations.cache.limits import SharedStorage
from app.integrations.cache.user_repository import CachedUserRepository


@asynccontextmanager
async def running(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Counts sign-ins and caches users in Valkey, and reports its health."""
    cache = Cache(settings)
    providers: Providers = app.state.providers
    providers.counts = SharedStorage(cache)
    providers.attempt_limiter = AttemptLimiter(settings, providers.counts)
    providers.registration_limiter = RegistrationLimiter(settings, providers.counts)
    providers.user_repository = partial(CachedUserRepository, cache=cache)
    providers.reported_checks["cache"] = cache.ping
    app.state.cache = cache  # deprecated: removed in 0.6.0
    try:
        yield
    finally:
        await cache.close()
