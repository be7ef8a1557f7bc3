"""Deprecated: use FastAPI's APIRouter. This module goes in 0.5.0."""

from fastapi import APIRouter as ResourceRouter

__all__ = ["ResourceRouter"]
