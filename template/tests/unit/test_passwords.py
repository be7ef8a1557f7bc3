import pytest

from app.core import passwords
from app.core.exceptions import ServiceUnavailableError


async def test_equal_passwords_have_different_hashes() -> None:
    assert await passwords.hash_password("the same") != await passwords.hash_password("the same")


async def test_overload_is_refused_after_a_bounded_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "SLOT_TIMEOUT", 0.1)
    busy = [object() for _ in range(int(passwords._slots.total_tokens))]
    for borrower in busy:
        passwords._slots.acquire_on_behalf_of_nowait(borrower)

    with pytest.raises(ServiceUnavailableError):
        await passwords.hash_password("correct horse battery")

    for borrower in busy:
        passwords._slots.release_on_behalf_of(borrower)
    assert await passwords.hash_password("correct horse battery")


async def test_a_password_is_verified() -> None:
    password_hash = await passwords.hash_password("correct horse battery")

    assert await passwords.verify_password("correct horse battery", password_hash)
    assert not await passwords.verify_password("wrong horse battery", password_hash)


async def test_an_unknown_user_costs_as_much_work_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    verify = passwords._hasher.verify

    def counted(password: str, password_hash: str) -> bool:
        verified.append(password)
        return verify(password, password_hash)

    monkeypatch.setattr(passwords._hasher, "verify", counted)

    assert not await passwords.verify_password("", None)

    assert verified == [""]
