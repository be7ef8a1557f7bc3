import pytest

from app.core.config import Settings
from app.core.exceptions import TooManyRequestsError, UnauthorizedError
from app.core.rate_limit import AttemptLimiter


async def fail(limiter: AttemptLimiter, client: str) -> None:
    with pytest.raises(UnauthorizedError):
        async with limiter.attempt(client):
            raise UnauthorizedError


@pytest.fixture
def limiter() -> AttemptLimiter:
    return AttemptLimiter(Settings(LOGIN_RATE_LIMIT="2/minute"))


@pytest.mark.parametrize(
    ("first", "second", "refused", "free"),
    [
        pytest.param("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", id="a client and no other"),
        pytest.param(
            "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", id="an IPv6 network counts as one"
        ),
        pytest.param("", "", "", "192.0.2.1", id="a client without an address is counted too"),
    ],
)
async def test_who_failed_too_often_waits(
    limiter: AttemptLimiter, first: str, second: str, refused: str, free: str
) -> None:
    await fail(limiter, first)
    await fail(limiter, second)

    with pytest.raises(TooManyRequestsError):
        async with limiter.attempt(refused):
            pass
    async with limiter.attempt(free):
        pass


async def test_a_guess_that_was_under_way_gains_nothing_from_the_crowd(limiter: AttemptLimiter) -> None:
    async def succeed_after_others_failed() -> None:
        async with limiter.attempt("192.0.2.1"):
            await fail(limiter, "192.0.2.1")
            await fail(limiter, "192.0.2.1")

    with pytest.raises(TooManyRequestsError):
        await succeed_after_others_failed()
