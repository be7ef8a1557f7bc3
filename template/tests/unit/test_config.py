import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.config import ROOT, Settings, get_settings
from tests.api import PREFIX
from tests.database import URL, URLS, WRONG_URLS

KEY = "0123456789abcdefghijklmnopqrstuvwxyz"
SAFE = {"ENVIRONMENT": "production", "DATABASE_URL": URL, "JWT_SECRET_KEY": KEY}


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    get_settings.cache_clear()


def set_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_name_and_version_come_from_pyproject() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert pyproject["project"]["version"] == Settings().VERSION
    assert pyproject["tool"]["app"]["title"] == Settings().PROJECT_NAME


@pytest.mark.parametrize(("given", "used"), URLS.items())
def test_a_database_url_may_have_any_of_its_usual_forms(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    set_environment(monkeypatch, DATABASE_URL=given)

    assert get_settings().database_url == used


@pytest.mark.parametrize(("given", "named"), WRONG_URLS.items())
def test_a_database_url_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: str, named: str
) -> None:
    set_environment(monkeypatch, DATABASE_URL=given)

    with pytest.raises(SystemExit, match="DATABASE_URL") as stopped:
        get_settings()

    assert named in str(stopped.value)
    assert "hunter2" not in str(stopped.value)


def test_without_a_database_url_it_says_what_to_do() -> None:
    with pytest.raises(SystemExit, match="make dev"):
        _ = Settings().database_url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "live"),
        ("PORT", "0"),
        ("DB_POOL_TIMEOUT", "-1"),
        ("EXPORT_TIMEOUT", "-1"),
        ("EXPORT_CONCURRENCY", "-1"),
        ("API_V1_PREFIX", "api"),
        ("ROOT_PATH", "shop"),
        ("ROOT_PATH", "/shop?"),
        ("ROOT_PATH", f"{PREFIX}/"),
        ("LOG_LEVEL", "LOUD"),
        ("CORS_ORIGINS", "[1]"),
        ("LOGIN_RATE_LIMIT", "often"),
        ("REGISTRATION_RATE_LIMIT", "20"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_name_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    set_environment(monkeypatch, **{name: value})

    with pytest.raises(SystemExit) as stopped:
        get_settings()

    assert name in str(stopped.value)
    assert value not in str(stopped.value)


def test_a_list_that_is_no_json_stops_the_start_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, CORS_ORIGINS="https://app.example.com")

    with pytest.raises(SystemExit, match="CORS_ORIGINS"):
        get_settings()


@pytest.mark.parametrize(("given", "used"), [("/shop", "/shop"), ("/shop/", "/shop"), ("/a/b", "/a/b"), ("/", "")])
def test_the_root_path_has_no_last_slash(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    set_environment(monkeypatch, ROOT_PATH=given)

    assert used == get_settings().ROOT_PATH


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize(
    ("name", "unsafe"),
    [
        ("DATABASE_URL", {"DATABASE_URL": ""}),
        ("DEBUG", {"DEBUG": "true"}),
        ("JWT_SECRET_KEY", {"JWT_SECRET_KEY": ""}),
        ("JWT_SECRET_KEY", {"JWT_SECRET_KEY": KEY[:31]}),
        ("JWT_SECRET_KEY", {"JWT_SECRET_KEY": "changeme" * 8}),
        ("JWT_SECRET_KEY", {"JWT_SECRET_KEY": f"{KEY},"}),
        ("CORS_ORIGINS", {"CORS_ORIGINS": '["*"]', "CORS_ALLOW_CREDENTIALS": "true"}),
    ],
)
def test_an_unsafe_deployment_does_not_start(
    monkeypatch: pytest.MonkeyPatch, environment: str, name: str, unsafe: dict[str, str]
) -> None:
    set_environment(monkeypatch, **SAFE | {"ENVIRONMENT": environment} | unsafe)

    with pytest.raises(SystemExit, match=name):
        get_settings()


def test_a_safe_deployment_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, **SAFE)

    assert get_settings().is_deployed


def test_settings_cannot_change_while_the_process_runs() -> None:
    with pytest.raises(ValidationError):
        setattr(Settings(), "DEBUG", True)  # noqa: B010 (a type checker refuses the plain form)


def test_the_process_ends_without_a_traceback(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "app"],
        env={"ENVIRONMENT": "production", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode != 0
    assert "DATABASE_URL must be set" in process.stderr
    assert "Traceback" not in process.stderr


def test_the_example_lists_every_setting() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert [name for name in Settings.model_fields if f"# {name}" not in example] == []
