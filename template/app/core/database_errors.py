"""What an error of the database means to the client, by SQLSTATE (PostgreSQL documentation, appendix A)."""

import re

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.database import SETUP_ERRORS
from app.core.exceptions import BROKEN_REFERENCE, AppError, ConflictError, ServiceUnavailableError, UnprocessableError

# Raised when the database cannot be used at all: no connection is free, or none can be opened, or none in time.
OUTAGES: tuple[type[Exception], ...] = (PoolTimeoutError, OSError, TimeoutError, *SETUP_ERRORS)

UNIQUE_VIOLATION = "23505"
FOREIGN_KEY_VIOLATION = "23503"
CHECK_VIOLATION = "23514"

INTEGRITY_CONSTRAINT_VIOLATION = "23"
DATA_EXCEPTION = "22"
# Connection exceptions, insufficient resources, operator intervention (shutdown, statement timeout), a rollback that
# resolves a conflict, a lock that is not available, and a user or a database that the server refuses for now.
TRANSIENT = ("08", "53", "57", "40", "55P03", "28", "3D")

# The comparison in the name of a rule, such as `ends_at_above_starts_at`.
COMPARISON = re.compile(r"_(not_)?(above|below)_")

# Why the database is not ready, in phrases that reveal no more to the public than they must.
REFUSALS = {
    "08P01": "refuses the connection",
    "28": "refuses the user or the password",
    "3D": "does not exist",
    "53300": "has no connection left",
    "57P03": "is starting or stopping",
}


def client_error(error: DBAPIError) -> AppError | None:
    """Returns the error that the client gets, or None if it is a fault of the application."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if isinstance(error, IntegrityError) or state.startswith(INTEGRITY_CONSTRAINT_VIOLATION):
        return _violation(error, state)
    if state.startswith(DATA_EXCEPTION):
        return UnprocessableError("A value is out of range.")
    if error.connection_invalidated or state.startswith(TRANSIENT):
        return ServiceUnavailableError("The database is not available.")
    return None


def reason(error: Exception) -> str:
    """Returns the first line of the driver's message, for the log, or the name of the error if it has none.

    The message of a failed connection contains no submitted value.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(original).partition("\n")[0] or type(original).__name__


def refusal(error: Exception) -> str:
    """Returns what readiness reports: a phrase of `REFUSALS`, or `unavailable` when the database gives no reason."""
    state = getattr(error.orig, "sqlstate", None) or "" if isinstance(error, DBAPIError) else ""
    return next((words for start, words in REFUSALS.items() if state.startswith(start)), "unavailable")


def _violation(error: DBAPIError, state: str) -> AppError:
    if state == UNIQUE_VIOLATION:
        return ConflictError(_taken(error))
    if state == FOREIGN_KEY_VIOLATION:
        return ConflictError(BROKEN_REFERENCE.format(_columns(error)))
    if state == CHECK_VIOLATION and (rule := _constraint(error)):
        return UnprocessableError(f"A value breaks a rule: {COMPARISON.sub(_compared, rule)}.")
    return UnprocessableError("A value breaks a rule of the database.")


def _taken(error: DBAPIError) -> str:
    """Names the columns if there are several, as the driver's detail does: `Key (number, year)=(1, 2026) ...`."""
    detail = getattr(_driver_error(error), "detail", None) or ""
    columns = re.match(r"[^()]*\(([\w\", ]+)\)=\(", detail)
    if columns and "," in columns[1]:
        return f"These are already in use together: {columns[1].replace('"', '')}."
    return f"This {_columns(error)} is already in use."


def _compared(sign: re.Match[str]) -> str:
    return f" must {sign[1] or ''}be {sign[2]} ".replace("_", " ")


def _columns(error: DBAPIError) -> str:
    """The columns of a constraint, from its name: `uq_users_email` of table `users` is `email`."""
    return _constraint(error).replace("_", " ") or "value"


def _constraint(error: DBAPIError) -> str:
    """The name of the constraint without its kind and its table."""
    constraint = getattr(_driver_error(error), "constraint_name", None) or ""
    table = getattr(_driver_error(error), "table_name", None) or ""
    return constraint.partition(f"_{table}_")[2]


def _driver_error(error: DBAPIError) -> BaseException | None:
    return error.orig and (error.orig.__cause__ or error.orig)
