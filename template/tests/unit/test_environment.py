import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import ROOT, Settings
from scripts.local import SERVICES
from tests.environment import clean_environment

LEAKS = {
    "API_V1_PREFIX": "/api/v9",
    "api_v1_prefix": "/api/v8",
    "http_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "",
    "PGSSLMODE": "require",
}


def test_no_setting_of_the_shell_reaches_a_test() -> None:
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LEAKS.items():
            patch.setenv(name, value)
        clean_environment()
        after = dict(os.environ)
        os.environ |= before

    # The tests set the variables of their own services afterwards.
    services = [name for name, _, _ in SERVICES]
    assert after == {name: value for name, value in before.items() if name not in services}


def test_no_file_of_settings_reaches_a_test_or_its_processes(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_V1_PREFIX=/api/v9\n")
    program = "from app.core.config import Settings; print(Settings().API_V1_PREFIX)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert Settings.model_fields["API_V1_PREFIX"].default == Settings().API_V1_PREFIX

    assert child.stdout.strip() == Settings.model_fields["API_V1_PREFIX"].default
