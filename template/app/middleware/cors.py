"""Configures the other origins that a browser may call from."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app.core.config import Settings
from app.middleware.request_id import HEADER as REQUEST_ID_HEADER


def add_cors(app: FastAPI, settings: Settings) -> None:
    """Allows the origins of `CORS_ORIGINS`, if there are any."""
    if not settings.CORS_ORIGINS:
        return
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.CORS_ORIGINS,
        allow_credentials=settings.CORS_ALLOW_CREDENTIALS,
        # Where GET is allowed, so is HEAD, also for a request with a token.
        allow_methods=[*settings.CORS_ALLOW_METHODS, *(["HEAD"] if "GET" in settings.CORS_ALLOW_METHODS else [])],
        allow_headers=settings.CORS_ALLOW_HEADERS,
        expose_headers=[REQUEST_ID_HEADER, "Location", "ETag", "Retry-After", "Content-Disposition"],
    )
