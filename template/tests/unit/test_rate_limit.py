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


async def test_a_client_that_failed_too_often_waits_and_another_does_not(limiter: AttemptLimiter) -> None:
    await fail(limiter, "192.0.2.1")
    await fail(limiter, "192.0.2.1")

    with pytest.raises(TooManyRequestsError):
        async with limiter.attempt("192.0.2.1"):
            pass
    async with limiter.attempt("192.0.2.2"):
        pass


async def test_addresses_of_one_ipv6_network_count_as_one(limiter: AttemptLimiter) -> None:
    await fail(limiter, "2001:db8::1")
    await fail(limiter, "2001:db8::2")

    with pytest.raises(TooManyRequestsError):
        async with limiter.attempt("2001:db8::3"):
            pass
    async with limiter.attempt("2001:db8:0:1::1"):
        pass


async def test_a_guess_that_was_under_way_gains_nothing_from_the_crowd(limiter: AttemptLimiter) -> None:
    async def succeed_after_others_failed() -> None:
        async with limiter.attempt("192.0.2.1"):
            await fail(limiter, "192.0.2.1")
            await fail(limiter, "192.0.2.1")

    with pytest.raises(TooManyRequestsError):
        await succeed_after_others_failed()


async def test_a_client_without_an_address_is_counted_too(limiter: AttemptLimiter) -> None:
    await fail(limiter, "")
    await fail(limiter, "")

    with pytest.raises(TooManyRequestsError):
        async with limiter.attempt(""):
            pass
