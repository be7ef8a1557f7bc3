"""Modules that moved in 0.4.0. Their old names work until 0.6.0, with a DeprecationWarning."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "app.core.cache": "app.integrations.cache.client",
    "app.core.engine": "app.core.database",
    "app.core.metrics": "app.integrations.metrics.registry",
    "app.core.metrics_folder": "app.integrations.metrics.multiprocess",
    "app.core.sentry": "app.integrations.sentry.client",
    "app.core.shared_limits": "app.integrations.cache.limits",
    "app.core.traced_statements": "app.integrations.tracing.statements",
    "app.core.tracing": "app.integrations.tracing.provider",
    "app.middleware.answer": "app.middleware.response",
    "app.middleware.metrics": "app.integrations.metrics.middleware",
    "app.repository.cached_user_repository": "app.integrations.cache.user_repository",
    "app.repository.ended_session_repository": "app.integrations.tasks.ended_session_repository",
    "app.service.ended_session_service": "app.integrations.tasks.ended_session_service",
    "app.tasks.broker": "app.integrations.tasks.stream",
    "app.tasks.erase_sessions_job": "app.integrations.tasks.erase_sessions",
    "app.utils": "app.middleware",
    "app.utils.routes": "app.middleware.routes",
}


class _Finder(MetaPathFinder, Loader):
    """Loads the module at its new place under its old name."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=name == "app.utils") if name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}; the old name will be removed in 0.6.0.", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


sys.meta_path.insert(0, _Finder())
