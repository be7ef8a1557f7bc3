"""Merge patches (RFC 7396): null removes a member, an object is merged, and any other value replaces the member."""

import json
from typing import Any

from app.core.exceptions import UnprocessableError


def merged(target: object, patch: dict[str, Any], limit: int) -> dict[str, Any]:
    """Returns the target with the patch applied; neither is changed. Raises UnprocessableError beyond `limit` bytes."""
    result = dict(target) if isinstance(target, dict) else {}
    # No recursion: a client chooses the depth.
    remaining = [(result, patch)]
    while remaining:
        here, changes = remaining.pop()
        for name, value in changes.items():
            if value is None:
                here.pop(name, None)
            elif isinstance(value, dict):
                old = here.get(name)
                here[name] = dict(old) if isinstance(old, dict) else {}
                remaining.append((here[name], value))
            else:
                here[name] = value
    if len(json.dumps(result)) > limit:
        raise UnprocessableError("The merged object is too large.")
    return result
