"""Deprecated: use FastAPI's APIRouter, and a dependency with `yield`. This module is removed in 0.6.0."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from fastapi import APIRouter as ResourceRouter
from fastapi import Request

__all__ = ["ResourceRouter", "enter"]


async def enter[Entered](request: Request, manager: AbstractAsyncContextManager[Entered]) -> Entered:
    """Enters the manager, which FastAPI leaves before the response starts."""
    stack: AsyncExitStack = request.scope["fastapi_function_astack"]
    return await stack.enter_async_context(manager)
