import json

import pytest

from app.core.config import get_settings
from app.core.settings.origins import origin


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://app.example.com", "https://app.example.com"),
        (" https://app.example.com/\n", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:80/", "http://localhost"),
        ("http://localhost:", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://localhost:03000", "http://localhost:3000"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
        ("*", "*"),
    ],
)
def test_an_origin_is_what_a_browser_sends(given: str, sent: str) -> None:
    assert origin(given) == sent


@pytest.mark.parametrize(
    "given",
    [
        "app.example.com",
        "//app.example.com",
        "localhost:3000",
        "https://app.example.com/app",
        "https://app.example.com?a=b",
        "https://hunter2@app.example.com",
        "https://*.example.com",
        "https://bücher.example",
        "https://app.example.com:70000",
        "https://[::g]",
        "https://[1::2::3]",
        "https://",
        "",
    ],
)
def test_what_can_never_match_stops_the_start(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", json.dumps(["https://app.example.com", given]))

    with pytest.raises(SystemExit, match="CORS_ORIGINS: 1") as stopped:
        get_settings()

    assert "hunter2" not in str(stopped.value)


def test_methods_and_headers_are_those_that_a_browser_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ALLOW_METHODS", '["get", " patch ", "*"]')
    monkeypatch.setenv("CORS_ALLOW_HEADERS", '[" X-Team "]')

    assert get_settings().CORS_ALLOW_METHODS == ["GET", "PATCH", "*"]
    assert get_settings().CORS_ALLOW_HEADERS == ["X-Team"]


@pytest.mark.parametrize("name", ["CORS_ALLOW_METHODS", "CORS_ALLOW_HEADERS"])
def test_what_is_no_method_or_header_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, '["X-Team, X-Other"]')

    with pytest.raises(SystemExit, match=name):
        get_settings()
