"""Each protection of the backend has a test that fails without it: here it is taken out, and the test must notice."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Render

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Protection:
    """Where it is, what its absence looks like, and which tests must see that."""

    file: str
    code: str
    without: str
    tests: str


PROTECTIONS = {
    "commit before the answer": Protection(
        "app/api/deps.py", ', scope="function")', ")", "tests/integration/test_transactions.py"
    ),
    "rollback on error": Protection(
        "app/core/database.py",
        "            yield session\n            await session.commit()",
        "            try:\n                yield session\n            finally:\n                await session.commit()",
        "tests/integration/test_auth_api.py",
    ),
    "closed connections are replaced": Protection(
        "app/core/database.py",
        '    event.listen(engine.sync_engine, "checkout", _replace_closed_connection)\n',
        "",
        "tests/integration/test_transactions.py",
    ),
    "no SQL values in the log": Protection(
        "app/core/database.py",
        "hide_parameters=True",
        "hide_parameters=False",
        "tests/integration/test_transactions.py",
    ),
    "the driver's timeout": Protection(
        "app/core/database.py",
        '"command_timeout": statement_timeout + 1,',
        "",
        "tests/faults/test_database.py -k frozen",
    ),
    "readiness has its own connection": Protection(
        "app/core/database.py",
        "async with self._ping_engine.connect()",
        "async with self._engine.connect()",
        "tests/faults/test_database.py -k used_up",
    ),
    "unique addresses": Protection(
        "app/domain/schemas/user.py", ".casefold()", "", "tests/integration/test_user_api.py"
    ),
    "deleted is gone": Protection(
        "app/repository/base.py",
        "select(self.model).where(self.model.id == record_id, self._live)",
        "select(self.model).where(self.model.id == record_id)",
        "tests/integration/test_user_api.py",
    ),
    "search is literal": Protection(
        "app/repository/base.py", "autoescape=True", "autoescape=False", "tests/integration/test_user_api.py"
    ),
    "stable order": Protection(
        "app/repository/base.py", "(chosen, self.model.id)", "(chosen,)", "tests/unit/test_repository.py"
    ),
    "unknown fields": Protection(
        "app/domain/schemas/base.py", 'extra="forbid", ', "", "tests/integration/test_user_api.py"
    ),
    "storable text": Protection(
        "app/domain/schemas/base.py", "_UNSTORABLE.search(value)", "False", "tests/integration/test_user_api.py"
    ),
    "no echo of what was sent": Protection(
        "app/middleware/error_handler.py",
        '"message": fault["msg"]',
        '"message": str(fault)',
        "tests/integration/test_errors_api.py",
    ),
    "an answer to every error": Protection(
        "app/main.py", "    app.add_middleware(ErrorHandlerMiddleware)\n", "", "tests/integration/test_errors_api.py"
    ),
    "body limit": Protection(
        "app/middleware/body_limit.py",
        "if received > self.max_body_size:",
        "if False:",
        "tests/integration/test_errors_api.py",
    ),
    "no redirect to a slash": Protection(
        "app/main.py", "redirect_slashes=False", "redirect_slashes=True", "tests/integration/test_errors_api.py"
    ),
    "request IDs are checked": Protection(
        "app/middleware/request_id.py",
        "if _ACCEPTED.fullmatch(value)",
        "if value",
        "tests/integration/test_middleware.py",
    ),
    "one line an event": Protection(
        "app/core/logging.py", ".translate(_CONTROL_CHARACTERS)", "", "tests/unit/test_logging.py"
    ),
    "safe settings": Protection(
        "app/core/config.py", "self.is_deployed and (problems", "False and (problems", "tests/unit/test_config.py"
    ),
    "closed documentation": Protection(
        "app/main.py", "if is_public else None", "if True else None", "tests/integration/test_access_api.py"
    ),
    "security headers": Protection(
        "app/main.py", "    app.add_middleware(SecurityHeadersMiddleware)\n", "", "tests/integration/test_access_api.py"
    ),
    "one type of token": Protection(
        "app/core/security.py", 'if claims["typ"] == ACCESS:', "if True:", "tests/integration/test_access_api.py"
    ),
    "required claims": Protection(
        "app/core/security.py", 'options={"require": CLAIMS}', "options={}", "tests/integration/test_access_api.py"
    ),
    "one algorithm": Protection(
        "app/core/security.py",
        "algorithms=[ALGORITHM]",
        'algorithms=["HS256", "HS384"]',
        "tests/integration/test_access_api.py",
    ),
    "a token is used once": Protection(
        "app/repository/refresh_token_repository.py",
        "(RefreshToken.used_at.is_(None), RefreshToken.revoked_at",
        "(RefreshToken.revoked_at",
        "tests/integration/test_auth_api.py",
    ),
    "a session ends at last": Protection(
        "app/repository/refresh_token_repository.py",
        ", RefreshToken.expires_at > utc_now())",
        ")",
        "tests/integration/test_auth_api.py",
    ),
    "reuse ends the session for good": Protection(
        "app/service/auth_service.py",
        "            await self.refresh_tokens.commit()\n",
        "",
        "tests/integration/test_transactions.py",
    ),
    "inactive users": Protection(
        "app/repository/user_repository.py",
        "User.id == user_id, User.is_active, self._live",
        "User.id == user_id, self._live",
        "tests/integration/test_auth_api.py",
    ),
    "live sessions only": Protection(
        "app/repository/refresh_token_repository.py",
        ", User.deleted_at.is_(None), alive)",
        ", User.deleted_at.is_(None))",
        "tests/integration/test_auth_api.py",
    ),
    "a new password ends sessions": Protection(
        "app/service/user_service.py",
        "        await self.refresh_tokens.revoke_all(user.id, but=session_id)\n",
        "",
        "tests/integration/test_auth_api.py",
    ),
    "the current password": Protection(
        "app/service/user_service.py",
        "if not await verify_password(",
        "if None is await verify_password(",
        "tests/integration/test_auth_api.py",
    ),
    "the last administrator": Protection(
        "app/service/user_service.py", "== [user_id]", "== []", "tests/integration/test_access_api.py"
    ),
    "roles": Protection(
        "app/api/deps.py", "if user.role not in roles:", "if False:", "tests/integration/test_access_api.py"
    ),
    "others look like nobody": Protection(
        "app/api/v1/user_router.py", "current_user.role is Role.USER:", "False:", "tests/integration/test_access_api.py"
    ),
    "failed sign-ins": Protection(
        "app/core/rate_limit.py",
        "            await self.count(client)\n            raise",
        "            raise",
        "tests/integration/test_auth_api.py",
    ),
    "guesses side by side": Protection(
        "app/core/rate_limit.py",
        "        # Of guesses that were sent side by side, none may succeed after the limit.\n"
        "        await self._refuse_exhausted(client)\n",
        "",
        "tests/unit/test_rate_limit.py",
    ),
    "the same time for unknown users": Protection(
        "app/core/passwords.py",
        "    matches = await _in_slot",
        "    if password_hash is None:\n        return False\n    matches = await _in_slot",
        "tests/unit/test_passwords.py",
    ),
    "bounded hashing": Protection(
        "app/core/passwords.py",
        "with fail_after(SLOT_TIMEOUT):",
        "if True:",
        "tests/unit/test_passwords.py --timeout 5",
    ),
    "one migration at a time": Protection(
        "alembic/env.py",
        '        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})\n',
        "",
        "tests/integration/test_migrations.py",
    ),
}


@pytest.mark.parametrize("protection", list(PROTECTIONS.values()), ids=list(PROTECTIONS))
def test_its_absence_is_noticed(render: Render, tmp_path: Path, protection: Protection) -> None:
    project = Path(shutil.copytree(render(), tmp_path / "project"))
    file = project / protection.file
    source = file.read_text("utf-8")
    assert source.count(protection.code) == 1, "the protection is written otherwise now: say how it looks without it"
    file.write_text(source.replace(protection.code, protection.without), "utf-8")

    suite = subprocess.run(
        ["pytest", "-q", "-x", "-p", "no:cacheprovider", *protection.tests.split()],
        cwd=project,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert suite.returncode == 1, f"nothing failed\n{suite.stdout[-3000:]}{suite.stderr[-1000:]}"
    assert " failed" in suite.stdout or " error" in suite.stdout
