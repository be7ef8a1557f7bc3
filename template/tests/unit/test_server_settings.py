"""Settings come from several sources, and the first one that has a setting wins."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from app.core.settings.server import ServerSettings, read_settings


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the file that settings are read from."""
    file = tmp_path / ".env"
    monkeypatch.setitem(ServerSettings.model_config, "env_file", str(file))
    return file


def test_the_environment_goes_before_the_file_and_the_file_before_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, port in {"HOST": "::1", "PORT": "1", "WEB_CONCURRENCY": "2"}.items():
        (tmp_path / name).write_text(port)
    (tmp_path / ".env").write_text("PORT=2\nWEB_CONCURRENCY=3\n")
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    class Here(ServerSettings):
        model_config = SettingsConfigDict(env_file=str(tmp_path / ".env"), secrets_dir=tmp_path)

    settings = read_settings(Here)

    assert (settings.HOST, settings.PORT, settings.WEB_CONCURRENCY) == ("::1", 2, 4)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_file_may_begin_with_a_byte_order_mark(env_file: Path, encoding: str) -> None:
    env_file.write_text("PORT=1234\n# café\n", encoding=encoding)

    assert read_settings(ServerSettings).PORT == 1234


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_in_another_encoding_stops_the_start_in_one_sentence(env_file: Path, encoding: str) -> None:
    env_file.write_text("PORT=1234\n# café\n", encoding=encoding)

    with pytest.raises(SystemExit) as stopped:
        read_settings(ServerSettings)

    assert str(stopped.value) == f"The settings are not valid.\n  {env_file} is not in UTF-8: save it in that encoding."


@pytest.mark.parametrize("name", ["x86_64-conda-linux-gnu", "my-laptop.local", "*"])
def test_the_name_of_a_machine_is_no_place_to_listen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOST", name)

    assert read_settings(ServerSettings).HOST == "127.0.0.1"


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 (a value to parse, nothing binds it)
def test_an_address_is(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)

    assert host == read_settings(ServerSettings).HOST
