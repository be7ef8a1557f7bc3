import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.core.database_errors import client_error, reason, refusal


class DriverError(Exception):
    def __init__(self, sqlstate: str, constraint_name: str = "", detail: str | None = None) -> None:
        self.sqlstate = sqlstate
        self.constraint_name = constraint_name
        self.table_name = "invoices"
        self.detail = detail


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
    error = client_error(DBAPIError("", None, DriverError(sqlstate)))

    assert error is not None
    assert error.status_code == status


@pytest.mark.parametrize(
    ("constraint", "detail", "said"),
    [
        ("uq_invoices_number", "Key (number)=(a, b) already exists.", "This number is already in use."),
        ("uq_invoices_due_on", "Key (due_on)=((x)=(y)) already exists.", "This due on is already in use."),
        (
            "uq_invoices_number_year",
            "Key (number, year)=(1), (2, 2026) already exists.",
            "These are already in use together: number, year.",
        ),
        (
            "uq_invoices_order_year",
            'Schlüssel »("order", year)=(1, 2026)« existiert bereits.',
            "These are already in use together: order, year.",
        ),
        ("uq_invoices_a_b", "Key (lower(a::text), b)=(secret, 1) already exists.", "This a b is already in use."),
        ("uq_invoices_a_b", None, "This a b is already in use."),
    ],
)
def test_what_is_taken_is_named_without_its_values(constraint: str, detail: str | None, said: str) -> None:
    error = client_error(DBAPIError("", None, DriverError("23505", constraint, detail)))

    assert error is not None
    assert error.detail == said


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("ck_invoices_ends_at_above_starts_at", "A value breaks a rule: ends_at must be above starts_at."),
        ("ck_invoices_paid_not_above_total", "A value breaks a rule: paid must not be above total."),
        ("ck_invoices_status", "A value breaks a rule: status."),
        ("invoices_check", "A value breaks a rule of the database."),
    ],
)
def test_a_rule_that_is_broken_is_named(constraint: str, said: str) -> None:
    error = client_error(DBAPIError("", None, DriverError("23514", constraint)))

    assert error is not None
    assert error.detail == said


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
    error = client_error(DBAPIError("", None, Exception(), connection_invalidated=True))

    assert error is not None
    assert error.status_code == 503


def test_a_violation_without_a_state_is_the_clients() -> None:
    error = client_error(IntegrityError("", None, Exception()))

    assert error is not None
    assert error.status_code == 422


def test_a_fault_of_the_application_is_not_explained_away() -> None:
    assert client_error(DBAPIError("", None, DriverError("42P01"))) is None
