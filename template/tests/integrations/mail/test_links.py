"""The token of a link works for a limited time, for one purpose, user, state and deployment."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from app.core.config import DISTRIBUTION, Settings
from app.core.exceptions import UnauthorizedError
from app.core.security import ALGORITHM, AccessTokens
from app.domain.models.base import utc_now
from app.domain.models.user import User
from app.integrations.mail.links import CLAIMS, Links, Purpose, state_of
from tests.factories.user_factory import user_row

KEY, OTHER_KEY = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def links(keys: str = KEY) -> Links:
    return Links(Settings(JWT_SECRET_KEY=SecretStr(keys)))


@pytest.fixture
def user() -> User:
    return User(id=uuid7(), **user_row())


@pytest.fixture
def token(user: User) -> str:
    return links().make(Purpose.RESET, user).partition("#token=")[2]


def claims(user: User, **other: Any) -> dict[str, Any]:
    now = utc_now()
    ours = {"iss": DISTRIBUTION, "aud": DISTRIBUTION, "sub": str(user.id), "typ": Purpose.RESET, "state": "x"}
    return ours | {"iat": now, "exp": now + timedelta(minutes=1)} | other


def sign(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, ALGORITHM)


def assert_refused(token: str, keys: str = KEY) -> None:
    with pytest.raises(UnauthorizedError):
        links(keys).read(token, Purpose.RESET)


def test_a_link_leads_to_its_page_with_its_token_in_the_fragment(user: User) -> None:
    for purpose in Purpose:
        page, _, token = links().make(purpose, user).partition("#token=")
        assert page == f"http://localhost:3000/{purpose}"
        assert links().read(token, purpose).fits(user)


def test_a_token_of_another_purpose_is_refused(user: User) -> None:
    for purpose in set(Purpose) - {Purpose.RESET}:
        assert_refused(links().make(purpose, user).partition("#token=")[2])


def test_a_token_of_another_deployment_is_refused(token: str) -> None:
    assert_refused(token, OTHER_KEY)


def test_a_key_can_be_rotated(token: str, user: User) -> None:
    assert links(f"{OTHER_KEY},{KEY}").read(token, Purpose.RESET).user_id == user.id


def test_an_access_token_is_no_link_and_a_link_no_access_token(user: User, token: str) -> None:
    tokens = AccessTokens(Settings(JWT_SECRET_KEY=SecretStr(KEY)))

    with pytest.raises(UnauthorizedError):
        tokens.read(token)
    assert_refused(sign(claims(user, typ="access")))


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_is_needed(user: User, claim: str) -> None:
    whole = claims(user)
    assert links().read(sign(whole), Purpose.RESET)

    del whole[claim]
    assert_refused(sign(whole))


def test_clocks_may_be_apart_by_a_minute_and_no_more(user: User) -> None:
    now = utc_now()
    for seconds in (50, -50):
        moved = {"iat": now + timedelta(seconds=seconds), "exp": now + timedelta(seconds=seconds)}
        assert links().read(sign(claims(user, **moved)), Purpose.RESET)

    assert_refused(sign(claims(user, exp=now - timedelta(seconds=70))))


@pytest.mark.parametrize("changed", ["email", "password_hash"])
def test_a_link_dies_with_the_password_and_with_the_address(user: User, token: str, changed: str) -> None:
    setattr(user, changed, "another")

    assert not links().read(token, Purpose.RESET).fits(user)


def test_what_it_says_of_the_user_is_not_the_hash_of_the_password(user: User) -> None:
    assert user.password_hash not in state_of(user)
    assert user.email not in state_of(user)


@pytest.mark.parametrize("token", ["a.b.c", "..", "e30.e30.e30"])
def test_garbage_is_refused(token: str) -> None:
    assert_refused(token)
