import pytest

from app.core.config import get_settings
from tests.unit.test_config import SAFE, set_environment


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("rediss://:secret@cache", "rediss://:secret@cache"),
        ("valkey://cache/2", "redis://cache/2"),
        ("VALKEYS://cache", "rediss://cache"),
    ],
)
def test_a_cache_url_may_have_any_of_its_usual_forms(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    set_environment(monkeypatch, CACHE_URL=given)

    assert get_settings().cache_url == used


@pytest.mark.parametrize(
    "value", ["cache:6379", "http://:hunter2@cache", "redis://", "redis:///0", "redis://cache/first"]
)
def test_a_wrong_cache_url_stops_the_start_by_name_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    set_environment(monkeypatch, CACHE_URL=value)

    with pytest.raises(SystemExit, match="CACHE_URL") as stopped:
        get_settings()

    assert "hunter2" not in str(stopped.value)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_deployment_without_a_cache_does_not_start(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    set_environment(monkeypatch, **SAFE | {"ENVIRONMENT": environment, "CACHE_URL": ""})

    with pytest.raises(SystemExit, match="CACHE_URL must be set"):
        get_settings()


def test_without_a_cache_url_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, CACHE_URL="")

    with pytest.raises(SystemExit, match="make dev"):
        _ = get_settings().cache_url
