import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core.database_errors import client_error, reason, refusal


class DriverError(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("23505", 409),
        ("23503", 409),
        ("23514", 422),
        ("22001", 422),
        ("22021", 422),
        ("08006", 503),
        ("53300", 503),
        ("57014", 503),
        ("57P01", 503),
        ("40001", 503),
        ("40P01", 503),
        ("55P03", 503),
        ("28P01", 503),
        ("3D000", 503),
    ],
)
def test_an_sqlstate_has_its_answer(sqlstate: str, status: int) -> None:
    answer = client_error(DBAPIError("", None, DriverError(sqlstate)))

    assert answer is not None
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("sqlstate", "words"),
    [
        ("08P01", "refuses the connection"),
        ("08006", "unavailable"),
        ("28P01", "refuses the user or the password"),
        ("53300", "has no connection left"),
    ],
)
def test_readiness_says_what_is_wrong(sqlstate: str, words: str) -> None:
    assert refusal(DBAPIError("", None, DriverError(sqlstate))) == words


def test_a_reason_is_one_line_of_the_driver_without_the_statement() -> None:
    assert reason(DBAPIError("SELECT 1", None, Exception("refused\nDETAIL: secret"))) == "refused"
    assert reason(OSError("unreachable")) == "unreachable"


def test_a_lost_connection_is_an_outage() -> None:
    answer = client_error(DBAPIError("", None, Exception(), connection_invalidated=True))

    assert answer is not None
    assert answer.status_code == 503


def test_a_violation_without_a_state_is_the_clients() -> None:
    answer = client_error(IntegrityError("", None, Exception()))

    assert answer is not None
    assert answer.status_code == 422


def test_a_fault_of_the_application_is_not_explained_away() -> None:
    assert client_error(DBAPIError("", None, DriverError("42P01"))) is None
