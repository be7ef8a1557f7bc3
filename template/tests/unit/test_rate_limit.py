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
        *(
            pytest.param(first, second, "192.0.2.1", free, id=f"{first} is the IPv4 address that it embeds")
            for first, second, free in [
                ("::ffff:192.0.2.1", "::FFFF:C000:201", "::ffff:192.0.2.2"),
                ("::ffff:0:192.0.2.1", "::ffff:0:c000:201", "::ffff:0:192.0.2.2"),
                ("::192.0.2.1", "::c000:201", "::192.0.2.2"),
                ("64:ff9b::192.0.2.1", "64:ff9b::c000:201", "64:ff9b::192.0.2.2"),
                ("64:ff9b:1::192.0.2.1", "64:ff9b:1:2::c000:201", "64:ff9b:1::192.0.2.2"),
                ("2002:c000:201::1", "2002:c000:201:9::1", "2002:c000:202::1"),
                ("2001:0:cb00:7109::3fff:fdfe", "2001:0:cb00:7109:0:1:3fff:fdfe", "2001:0:cb00:7109::3fff:fdfd"),
            ]
        ),
        pytest.param("::1", "::1", "::1", "0.0.0.1", id="a loopback address embeds none"),
        pytest.param(
            "2001:db8::5efe:192.0.2.1",
            "2001:db8::5efe:192.0.2.2",
            "2001:db8::1",
            "192.0.2.1",
            id="an interface ID, which its owner chooses, embeds none",
        ),
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
