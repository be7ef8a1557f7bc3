"""The errors that services raise; `middleware/error_handler.py` turns them into responses.

They carry an HTTP status, because each of them becomes a response, but do not depend on the web framework.
"""

from collections.abc import Mapping


class AppError(Exception):
    """A refusal that the client may read.

    `message` describes the kind of error, and `detail` this particular case.
    """

    status_code = 500
    message = "Internal server error"

    def __init__(self, detail: str | dict[str, str] | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.message)
        self.detail = detail
        self.headers = dict(headers or {})


class UnauthorizedError(AppError):
    """The caller is not authenticated. The response carries `WWW-Authenticate` (RFC 6750, section 3)."""

    status_code = 401
    message = "Unauthorized"

    def __init__(self, detail: str = "Not authenticated.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class ForbiddenError(AppError):
    """The caller is known, and may not do this."""

    status_code = 403
    message = "Forbidden"


class NotFoundError(AppError):
    """There is no such record, or the caller may not know of it."""

    status_code = 404
    message = "Not found"


def found[Record](record: Record | None) -> Record:
    """Returns the record. Raises NotFoundError if there is none."""
    if record is None:
        raise NotFoundError
    return record


class ConflictError(AppError):
    """The request contradicts what is stored, such as a value that is in use already."""

    status_code = 409
    message = "Conflict"


class PreconditionFailedError(AppError):
    """The record is not, or no longer, the one that the client read (RFC 9110, 15.5.13)."""

    status_code = 412
    message = "Precondition failed"


class PreconditionRequiredError(AppError):
    """The request must say which version of the record it changes (RFC 6585, 3)."""

    status_code = 428
    message = "Precondition required"


# Formatted with the name of a column.
BROKEN_REFERENCE = "This {} refers to a record that does not exist or is still in use."


class UnprocessableError(AppError):
    """The request has the right form, but a value breaks a rule."""

    status_code = 422
    message = "Validation failed"


class TooManyRequestsError(AppError):
    """The client has sent too many requests. `retry_after` is in seconds (RFC 6585, 4)."""

    status_code = 429
    message = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ServiceUnavailableError(AppError):
    """Overload or outage. `retry_after` is in seconds (RFC 9110, 10.2.3)."""

    status_code = 503
    message = "Service unavailable"

    def __init__(self, detail: str | dict[str, str] | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
