"""Lists the protections of the backend: where each one is, how to remove it, and which tests must then fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.resources import Resource


@dataclass(frozen=True)
class Protection:
    """The file and the text of a protection, the text without it, and the tests that must fail then."""

    file: str
    code: str
    without: str
    tests: str
    answers: Mapping[str, str] = field(default_factory=dict)


SQLITE = {"database": "sqlite"}
VALKEY = {"cache": "valkey"}
TASKIQ = VALKEY | {"tasks": "taskiq"}

PROTECTIONS = {
    "commit before the response": Protection(
        "app/api/deps.py",
        'Depends(get_session, scope="function")',
        # FastAPI's default scope ends after the response was sent.
        'Depends(get_session, scope="request")',
        "tests/integration/test_transactions.py -k a_commit_that_fails_is_never_a_201",
    ),
    "rollback on error": Protection(
        "app/core/session.py",
        "            if kind is None:\n                await self.commit()",
        "            if True:\n                await self.commit()",
        "tests/integration/test_auth_api.py -k makes_a_plain_user_where_it_is_on",
    ),
    "closed connections are replaced": Protection(
        "app/core/postgresql.py",
        '    event.listen(engine.sync_engine, "checkout", _replace_closed_connection)\n',
        "",
        "tests/faults/test_database.py -k closed",
    ),
    "no SQL values in the log": Protection(
        "app/core/postgresql.py",
        "hide_parameters=True",
        "hide_parameters=False",
        "tests/integration/test_transactions.py",
    ),
    "the driver's timeout": Protection(
        "app/core/postgresql.py",
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
    "no write in a session that reads": Protection(
        "app/core/database.py",
        "        refuse_writes(self._engine.sync_engine)\n",
        "",
        "tests/integration/test_session.py",
    ),
    "no flush in a session that reads": Protection(
        "app/core/session.py",
        "                self.sync_session.flush()",
        "                pass",
        "tests/integration/test_session.py",
    ),
    "few exports at a time": Protection(
        "app/api/export.py", "if not self._free:", "if False:", "tests/integration/test_export_api.py -k too_many"
    ),
    "an export ends in time": Protection(
        "app/api/export.py",
        "monotonic() + self._exports.timeout",
        "monotonic() + 10**6",
        "tests/integration/test_export_api.py -k too_long",
    ),
    "an export is never in memory as a whole": Protection(
        "app/repository/base.py", "BATCH = 500", "BATCH = 10**8", "tests/integration/test_export_server.py -k memory"
    ),
    "no formula for a spreadsheet": Protection(
        "app/api/formats.py", "written.startswith(FORMULAS)", "False", "tests/unit/test_formats.py"
    ),
    "an export is of one moment": Protection(
        "app/core/postgresql.py", '"REPEATABLE READ"', '"READ COMMITTED"', "tests/integration/test_session.py"
    ),
    "the database refuses writes of an export": Protection(
        "app/core/postgresql.py",
        '"postgresql_readonly": True',
        '"postgresql_readonly": False',
        "tests/integration/test_postgresql.py -k snapshot",
    ),
    "no statement of another caller's rules": Protection(
        "app/repository/base.py",
        "_statements = None if own_rules or is_computed else {}",
        "_statements = {}",
        "tests/integration/test_scope.py -k reads",
    ),
    "no statement of another instance": Protection(
        "app/repository/base.py",
        ' or vars(self).keys() != {"session"}',
        "",
        "tests/integration/test_scope.py -k columns",
    ),
    "a change is of the version that was read": Protection(
        "app/repository/terms.py",
        "if self.accepts is not None and not self.accepts(record):",
        "if False:",
        "tests/integration/test_conditions_api.py -k IfMatch",
    ),
    "a version is compared with the record locked": Protection(
        "app/repository/base.py",
        ".with_for_update(of=self.model, key_share=True)",
        "",
        "tests/integration/test_transactions.py -k one_version",
    ),
    "a weak tag is not enough for a change": Protection(
        "app/api/conditions.py",
        "_tag(record), is_weak=False",
        "_tag(record), is_weak=True",
        "tests/integration/test_conditions_api.py -k IfMatch",
    ),
    "a version is demanded where it must be": Protection(
        "app/api/conditions.py",
        "if settings.REQUIRE_IF_MATCH and not is_conditional:",
        "if False:",
        "tests/integration/test_conditions_api.py -k asked_for",
    ),
    "what is merged is bounded": Protection(
        "app/core/merge_patch.py", "if len(json.dumps(result)) > limit:", "if False:", "tests/unit/test_merge_patch.py"
    ),
    "a key belongs to one caller": Protection(
        "app/api/idempotency.py", "(str(caller), ", '("", ', "tests/integration/test_idempotency_api.py -k each_caller"
    ),
    "a key is of one body": Protection(
        "app/api/idempotency.py",
        "if not any(hmac.compare_digest(self._fingerprint(key), fingerprint) for key in self._keys):",
        "if False:",
        "tests/integration/test_idempotency_api.py -k another_body",
    ),
    "a key is of one request at a time": Protection(
        "app/api/idempotency.py",
        "if self.id in running:",
        "if False:",
        "tests/integration/test_idempotency_api.py -k still_runs",
    ),
    "a key is of one request at a time in all processes": Protection(
        "app/core/postgresql.py",
        '"pg_try_advisory_xact_lock(:lock)"',
        '":lock <> 0"',
        "tests/integration/test_postgresql.py -k another_process",
    ),
    "a key is forgotten in time": Protection(
        "app/repository/stored_response_repository.py",
        "WHERE stored_responses.expires_at <= :now OR",
        "WHERE",
        "tests/integration/test_idempotency_api.py -k in_time",
    ),
    "who is to come back is told when": Protection(
        "app/middleware/error_handler.py",
        "if status_code in RETRIED:",
        "if False:",
        "tests/integration/test_errors_api.py -k come_back",
    ),
    "two changes follow each other": Protection(
        "app/repository/base.py",
        ".with_for_update(of=self.model, key_share=True)",
        "",
        "tests/integration/test_transactions.py -k waits",
    ),
    "every sink gets the access lines": Protection(
        "app/middleware/logging.py", ').info("request")', ")", "tests/integration/test_middleware.py"
    ),
    "registrations are limited": Protection(
        "app/api/v1/auth_router.py",
        "    await limiter.count(client)\n",
        "",
        "tests/integration/test_auth_api.py -k Register",
    ),
    "unique addresses": Protection(
        "app/domain/schemas/user.py", ".casefold()", "", "tests/integration/test_user_api.py"
    ),
    "deleted is gone": Protection(
        "app/repository/base.py",
        "select(self.model).where(self.model.id == record_id, self.scope)",
        "select(self.model).where(self.model.id == record_id)",
        "tests/integration/test_user_api.py -k deleted_is_gone_and_its_email_is_free",
    ),
    "search is literal": Protection(
        "app/repository/base.py", ", autoescape=True", "", "tests/integration/test_user_api.py -k search_is_literal"
    ),
    "stable order": Protection(
        "app/repository/keyset.py",
        "else order, self.identity.asc()",
        "else order,",
        "tests/unit/test_repository.py",
    ),
    "cursors that were written here": Protection(
        "app/domain/schemas/cursor.py",
        "if not any(hmac.compare_digest(self._signed(payload, key), self.text) for key in self._keys):",
        "if not payload:",
        "tests/integration/test_list_cursors.py",
    ),
    "cursors of one caller": Protection(
        "app/api/listing.py",
        'join((caller_of(connection), connection.scope["path"], chosen))',
        'join((connection.scope["path"], chosen))',
        "tests/integration/test_list_cursors.py",
    ),
    "each parameter once": Protection(
        "app/api/listing.py",
        "if len(values[name]) > 1:",
        "if not values[name]:",
        "tests/integration/test_list_filters.py -k refuses_what_is_no_filter_or_no_value_of_it",
    ),
    "a bounded number of values": Protection(
        "app/domain/schemas/filters.py",
        ", min_length=1, max_length=MAXIMUM_VALUES",
        "",
        "tests/integration/test_list_filters.py -k refuses_what_is_no_filter_or_no_value_of_it",
    ),
    "unknown fields": Protection(
        "app/domain/schemas/base.py",
        'extra="forbid", ',
        "",
        "tests/integration/test_user_api.py -k refuses_a_field_that_is_wrong_or_not_the_clients",
    ),
    "storable text": Protection(
        "app/domain/schemas/base.py", "_UNSTORABLE.search(value)", "False", "tests/integration/test_user_api.py"
    ),
    "no time becomes infinity": Protection(
        "app/domain/schemas/types.py",
        "if same in (type(same).min, type(same).max):",
        "if False:",
        "tests/unit/test_types.py",
    ),
    "no echo of what was sent": Protection(
        "app/middleware/error_handler.py",
        '"message": fault["msg"]',
        '"message": str(fault)',
        "tests/integration/test_errors_api.py",
    ),
    "an outage while a connection is set up": Protection(
        "app/core/database_errors.py",
        "OSError, TimeoutError, *SETUP_ERRORS)",
        "OSError, TimeoutError)",
        "tests/integration/test_postgresql.py -k set_up",
    ),
    "an answer to every error": Protection(
        "app/main.py", "    app.add_middleware(ErrorHandlerMiddleware)\n", "", "tests/integration/test_errors_api.py"
    ),
    "body limit": Protection(
        "app/middleware/body_limit.py",
        "if received > self.max_body_size:",
        "if False:",
        "tests/integration/test_errors_api.py -k a_body_over_the_limit_is_413",
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
    "a line whatever was bound": Protection(
        "app/core/logging.py", "except orjson.JSONEncodeError:  #", "except KeyError:  #", "tests/unit/test_logging.py"
    ),
    "a log that cannot be written": Protection(
        "app/core/logging.py",
        "except CANNOT_BE_WRITTEN:",
        "except KeyError:",
        "tests/unit/test_logging.py",
    ),
    "safe settings": Protection(
        "app/core/config.py", "self.is_deployed and problems", "False and problems", "tests/unit/test_config.py"
    ),
    "closed documentation": Protection(
        "app/main.py",
        "if is_public else None",
        "if True else None",
        "tests/integration/test_access_api.py -k the_documentation_is_closed_in_production",
    ),
    "security headers": Protection(
        "app/main.py",
        "    app.add_middleware(ResponseMiddleware)\n",
        "",
        "tests/integration/test_access_api.py -k every_answer_has_the_security_headers",
    ),
    "a token that is known expires": Protection(
        "app/core/security.py",
        "if expires_at <= time():",
        "if False:",
        "tests/integration/test_access_api.py -k what_let_in_once_does_so_until_it_expires",
    ),
    "one type of token": Protection(
        "app/core/security.py",
        'if claims["typ"] == ACCESS:',
        "if True:",
        "tests/integration/test_access_api.py -k a_wrong_claim_is_refused",
    ),
    "required claims": Protection(
        "app/core/security.py",
        'options={"require": required}',
        "options={}",
        "tests/integration/test_access_api.py -k every_claim_is_needed",
    ),
    "tokens of one deployment": Protection(
        "app/core/security.py",
        '"require": required',
        '"require": required, "verify_signature": False',
        "tests/integration/test_access_api.py -k another_key",
    ),
    "one algorithm": Protection(
        "app/core/security.py",
        "algorithms=[ALGORITHM]",
        'algorithms=["HS256", "HS384"]',
        "tests/integration/test_access_api.py -k another_key_or_algorithm_is_refused",
    ),
    "a token is used once": Protection(
        "app/repository/refresh_token_repository.py",
        "(RefreshToken.used_at.is_(None), RefreshToken.revoked_at",
        "(RefreshToken.revoked_at",
        "tests/integration/test_auth_api.py -k reuse_ends_the_whole_session",
    ),
    "sessions end in one order": Protection(
        "app/repository/refresh_token_repository.py",
        "live.order_by(RefreshToken.id).with_for_update(key_share=True)",
        "live",
        "tests/integration/test_transactions.py -k each_other",
    ),
    "a session ends at last": Protection(
        "app/repository/refresh_token_repository.py",
        ", RefreshToken.expires_at > now)",
        ")",
        "tests/integration/test_auth_api.py -k does_not_make_a_session_longer",
    ),
    "reuse ends the session for good": Protection(
        "app/service/auth_service.py",
        "            await self.refresh_tokens.commit()\n",
        "",
        "tests/integration/test_transactions.py -k of_many_refreshes_at_once_one_succeeds_and_the_session_ends",
    ),
    "inactive users": Protection(
        "app/repository/user_repository.py",
        "User.id == user_id, User.is_active, self.scope",
        "User.id == user_id, self.scope",
        "tests/integration/test_auth_api.py",
    ),
    "live sessions only": Protection(
        "app/repository/refresh_token_repository.py",
        ", User.deleted_at.is_(None), _ALIVE",
        ", User.deleted_at.is_(None)",
        "tests/integration/test_auth_api.py -k reuse_ends_the_whole_session",
    ),
    "a session of somebody else is none": Protection(
        "app/repository/refresh_token_repository.py",
        "own = (RefreshToken.user_id == user_id, RefreshToken.session_id",
        "own = (RefreshToken.session_id",
        "tests/integration/test_session_api.py -k somebody",
    ),
    "sessions of others are not shown": Protection(
        "app/repository/refresh_token_repository.py",
        "select(RefreshToken).where(RefreshToken.user_id == user_id, ",
        "select(RefreshToken).where(",
        "tests/integration/test_session_api.py -k somebody",
    ),
    "a session is ended whatever it is in the middle of": Protection(
        "app/service/session_service.py",
        "        await self.refresh_tokens.hold(caller.user_id)\n        if not",
        "        if not",
        "tests/integration/test_transactions.py -k middle",
    ),
    "what a device calls itself is bounded": Protection(
        "app/core/device.py", "[:length]", "", "tests/integration/test_session_api.py -k short_line"
    ),
    "what a device calls itself is one line": Protection(
        "app/core/device.py",
        "if character.isprintable()",
        "if True",
        "tests/integration/test_session_api.py -k short_line",
    ),
    "a session that ended keeps nothing of its device": Protection(
        "app/repository/refresh_token_repository.py",
        "values(revoked_at=utc_now(), **_NO_DEVICE)",
        "values(revoked_at=utc_now())",
        "tests/integration/test_session_api.py -k keeps_nothing",
    ),
    "a new password ends sessions": Protection(
        "app/service/user_service.py",
        "        await self.refresh_tokens.revoke_all(user.id, but=session_id)\n",
        "",
        "tests/integration/test_auth_api.py -k a_new_password_ends_the_other_sessions",
    ),
    "the current password": Protection(
        "app/service/user_service.py",
        "if not await verify_password(",
        "if None is await verify_password(",
        "tests/integration/test_auth_api.py -k a_new_password_needs_the_current_one",
    ),
    "the last administrator": Protection(
        "app/service/user_service.py",
        "== [user_id]",
        "== []",
        "tests/integration/test_access_api.py -k the_last_administrator_stays",
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
        "tests/integration/test_auth_api.py -k ten_failures_a_minute_are_enough",
    ),
    "guesses of the current password": Protection(
        "app/api/v1/user_router.py",
        "    async with attempt:\n        await service.change_password",
        "    if True:\n        await service.change_password",
        "tests/integration/test_auth_api.py -k guesses_of_the_current_password_are_limited",
    ),
    "readiness that fails first": Protection(
        "app/api/v1/health_router.py",
        "    if providers.shutdown.is_announced:\n",
        "    if False:\n",
        "tests/faults/test_process.py -k readiness_fails_before_the_server_stops_listening",
    ),
    "a delay between readiness and the end": Protection(
        "app/core/shutdown.py",
        "delay = 0 if self.is_announced else self._delay",
        "delay = 0",
        "tests/faults/test_process.py -k readiness_fails_before_the_server_stops_listening",
    ),
    "guesses side by side": Protection(
        "app/core/rate_limit.py",
        "        # Check again: concurrent guesses must not succeed once the limit is reached.\n"
        "        await self._refuse_exhausted(client)\n",
        "",
        "tests/unit/test_rate_limit.py",
    ),
    "an IPv4 client that looks like IPv6": Protection(
        "app/core/settings/addresses.py", "_embedded(found) or found if", "found if", "tests/unit/test_rate_limit.py"
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
        "tests/unit/test_passwords.py --timeout 5 -k overload_is_refused_after_a_bounded_wait",
    ),
    "closed metrics": Protection(
        "app/integrations/metrics/integration.py",
        "    if not settings.is_deployed:\n",
        "    if True:\n",
        "tests/integrations/metrics/test_metrics.py",
    ),
    "routes that nobody made are one series": Protection(
        "app/integrations/metrics/middleware.py",
        "route_template(scope) or UNKNOWN_ROUTE",
        'route_template(scope) or scope["path"]',
        "tests/integrations/metrics/test_metrics.py",
    ),
    "methods that nobody knows are one series": Protection(
        "app/integrations/metrics/middleware.py",
        'scope["method"] if scope["method"] in _METHODS else OTHER_METHOD',
        'scope["method"]',
        "tests/integrations/metrics/test_metrics.py",
    ),
    "nothing in progress in a dead worker": Protection(
        "app/integrations/metrics/registry.py",
        "    _forget_dead_workers()\n    registry",
        "    registry",
        "tests/integrations/metrics/test_metrics.py -k killed",
    ),
    "workers that forget the same dead one": Protection(
        "app/integrations/metrics/registry.py",
        "with suppress(FileNotFoundError):",
        "if True:",
        "tests/integrations/metrics/test_metrics.py -k same_dead",
    ),
    "workers that count together": Protection(
        "app/__main__.py",
        "    share_metrics(workers)\n",
        "",
        "tests/integrations/metrics/test_metrics.py -k together",
    ),
    "one migration at a time": Protection(
        "app/core/postgresql.py",
        "        await _wait_for_other_replicas(lock)\n",
        "",
        "tests/integration/test_postgresql.py -k a_replica_waits_while_another_one_migrates",
    ),
    **{
        name: Protection("app/core/sqlite.py", code, without, f"tests/integration/{tests}", SQLITE)
        for name, (code, without, tests) in {
            "SQLite: references": ("foreign_keys = ON", "foreign_keys = OFF", "test_sqlite.py -k reference"),
            "SQLite: readers while somebody writes": ("mode = WAL", "mode = DELETE", "test_sqlite.py -k reads"),
            "SQLite: an export may take longer": (
                "settings.EXPORT_TIMEOUT if streams else 0",
                "0",
                "test_export_server.py -k longer",
            ),
            "SQLite: an export locks nobody out": ('"BEGIN" if', '"BEGIN IMMEDIATE" if', "test_session.py -k snapshot"),
            "SQLite: statements end": ("> info[", "< 0 * info[", "test_sqlite.py -k too_long_is"),
            "SQLite: one waits for another": ('else "BEGIN IMMEDIATE"', 'else "BEGIN"', "test_transactions.py"),
            "SQLite: no lock is left": ("if context.statement is None", "if False", "test_transactions.py"),
            "SQLite: times": (".astimezone(UTC)", "", "test_sqlite.py -k zone"),
        }.items()
    },
    **{
        name: Protection(
            f"app/integrations/mail/{file}.py", code, without, f"tests/integrations/mail/{tests}", {"mail": "smtp"}
        )
        for name, (file, code, without, tests) in {
            "a link has one purpose": ("links", 'claims["typ"] in purposes', "True", "test_links.py -k purpose"),
            "a link expires": ("links", "leeway=LEEWAY", "leeway=LEEWAY * 9", "test_links.py -k minute"),
            "a link dies with what it changes": ("links", " {user.password_hash}", "", "test_accounts.py -k once"),
            "a link dies with the address": ("links", "{user.email} ", "", "test_accounts.py -k another_change"),
            "a link works once, whoever is quick": (
                "account_service",
                "self.users.lock(link.user_id, alone=True)",
                "self.users.get(link.user_id)",
                "test_one_use.py",
            ),
            "a reset ends sessions": (
                "account_service",
                "        await self.refresh_tokens.revoke_all(user.id)\n",
                "",
                "test_accounts.py -k ends_every_session",
            ),
            "an address is verified once": (
                "account_service",
                "if user.email_verified_at is not None:",
                "if False:",
                "test_accounts.py -k works_once",
            ),
            "a new address needs the password": (
                "account_service",
                "if not await verify_password(data.current_password, user.password_hash):",
                "if False:",
                "test_accounts.py -k needs_the_password",
            ),
            "an address gets few e-mails": (
                "account_service",
                "if await self.mails.may_get(address):",
                "if True:",
                "test_accounts.py -k nobody_can_tell",
            ),
            "a client asks for few e-mails": (
                "account_router",
                "    await limiter.count(client)\n",
                "    pass\n",
                "test_accounts.py -k asks_for_no_more",
            ),
            "the old address is told": (
                "account_service",
                "        await self.users.put_message(EmailChanged(user_id=user.id, old_email=old_email))\n",
                "",
                "test_accounts.py -k old_one_is_told",
            ),
            "a changed password is told": (
                "events",
                "await put_message(self.session, PasswordChanged(user_id=user.id))",
                "pass",
                "test_accounts.py -k ends_every_session",
            ),
            "a new device is told": (
                "events",
                "if self.settings.SIGN_IN_NOTICE and",
                "if False and",
                "test_accounts.py -k device_that_is_new",
            ),
            "an unverified address lets nobody in": (
                "events",
                "if self.settings.REQUIRE_VERIFIED_EMAIL and",
                "if False and",
                "test_accounts.py -k verifies_the_address",
            ),
            "nothing is sent to whom nobody knows": (
                "handlers",
                "return user if user is not None and user.is_active else None",
                "return user or User(email=email)",
                "test_accounts.py -k unknown_addresses",
            ),
            "a late e-mail does not outlive a password": (
                "handlers",
                " or state_of(user) != message.state",
                "",
                "test_accounts.py -k late",
            ),
            "an address that somebody has gets no link": (
                "handlers",
                "if await _user(delivery, email=message.new_email) is None:",
                "if True:",
                "test_accounts.py -k somebody_has",
            ),
            "values are escaped in e-mails": ("letters", "autoescape=True", "autoescape=False", "test_letters.py"),
            "STARTTLS is demanded": (
                "smtp",
                "start_tls=insists or None",
                "start_tls=None",
                "test_smtp.py -k demand",
            ),
            "no request waits for SMTP forever": (
                "smtp",
                "            timeout=TIMEOUT,\n",
                "            timeout=600,\n",
                "test_smtp.py -k says_nothing --timeout 20",
            ),
            "e-mails wait for a server": (
                "integration",
                "        providers.outbox.left_alone |= HANDLED\n",
                "",
                "test_accounts.py -k wait_uncounted",
            ),
            "the mailbox is closed": (
                "integration",
                'if settings.ENVIRONMENT == "development":',
                "if True:",
                "test_preview.py -k nothing_else",
            ),
            "nothing of an e-mail runs in the browser": ("preview", "; sandbox", "; x", "test_preview.py -k shows"),
        }.items()
    },
    "late readers store nothing": Protection(
        "app/integrations/cache/client.py",
        'if redis.call("GET", KEYS[1]) == ARGV[1] then',
        "if true then",
        "tests/integrations/cache/test_cache.py",
        VALKEY,
    ),
    "a change is told to the cache": Protection(
        "app/integrations/cache/user_repository.py",
        "        after_commit(self.session, partial(self.cache.forget, _key(record_id)))\n",
        "",
        "tests/integrations/cache/test_cache.py",
        VALKEY,
    ),
    "nothing uncommitted is kept": Protection(
        "app/integrations/cache/user_repository.py",
        "if isinstance(self.session, WriteSession):",
        "if False:",
        "tests/integrations/cache/test_cache.py",
        VALKEY,
    ),
    "a pause in outages of the cache": Protection(
        "app/integrations/cache/client.py",
        "if monotonic() < self._next_attempt:",
        "if False:",
        "tests/faults/test_cache.py -k notice",
        VALKEY,
    ),
    "counts without a cache": Protection(
        "app/integrations/cache/limits.py",
        "            return await self._own.acquire_entry(key, limit, expiry, amount)",
        "            return True",
        "tests/faults/test_cache.py -k guesses",
        VALKEY,
    ),
    "counts of all processes": Protection(
        "app/integrations/cache/integration.py",
        "AttemptLimiter(settings, providers.counts)",
        "AttemptLimiter(settings)",
        "tests/integrations/cache/test_shared_cache.py -k they_count_failed_sign_ins_together",
        VALKEY,
    ),
    "nothing follows a rollback": Protection(
        "app/core/session.py",
        "        self.info.pop(_AFTER_COMMIT, None)\n",
        "",
        "tests/integration/test_session.py",
    ),
    "a message waits for those of its key": Protection(
        "app/repository/outbox_repository.py",
        "        or_(other.id < OutboxMessage.id, other.due_at > time_after(0)),\n",
        "        other.id < 0,\n",
        "tests/integration/test_outbox.py -k key",
    ),
    "who lost a claim changes nothing": Protection(
        "app/repository/outbox_repository.py",
        '== bindparam("claimed_id"), _table.c.attempts == bindparam("attempt"))',
        '== bindparam("claimed_id"))',
        "tests/integration/test_outbox.py -k lost_a_claim",
    ),
    "no secret in the outbox": Protection(
        "app/service/delivery.py",
        '    return f"{type(error).__name__}{place}"\n',
        '    return f"{error}{place}"\n',
        "tests/integration/test_outbox.py -k secret",
    ),
    "what was delivered is forgotten": Protection(
        "app/repository/outbox_repository.py",
        '.values(delivered_at=func.now(), payload="", error=None)',
        ".values(delivered_at=func.now(), error=None)",
        "tests/integration/test_outbox.py -k keeps_nothing",
    ),
    "a message that kills its process": Protection(
        "app/service/delivery.py",
        "        if claim.attempt > self._settings.OUTBOX_ATTEMPTS:\n",
        "        if False:\n",
        "tests/integration/test_outbox.py -k killed_each_time",
    ),
    "the outbox outlives an outage": Protection(
        "app/service/outbox.py",
        "            except Exception as error:  # noqa: BLE001 (whatever it is: without the loop,",
        "            except ZeroDivisionError as error:  # noqa: BLE001 (whatever it is: without the loop,",
        "tests/integration/test_outbox_loop.py -k outlives",
    ),
    "several processes deliver a message once": Protection(
        "app/repository/outbox_repository.py",
        ".values(due_at=time_after(lease), attempts",
        ".values(attempts",
        "tests/integration/test_outbox_loop.py -k several_processes",
    ),
    "a killed worker's task": Protection(
        "app/integrations/tasks/stream.py",
        "                async for message in self._overdue(client):\n                    yield message\n",
        "",
        "tests/faults/test_tasks.py -k killed",
        TASKIQ,
    ),
    "a failed task stays in the stream": Protection(
        "app/integrations/tasks/stream.py",
        "            if not _has_failed.get():\n                await self._remove(identifier)\n",
        "            await self._remove(identifier)\n",
        "tests/integrations/tasks/test_tasks.py -k is_not_acknowledged",
        TASKIQ,
    ),
    "a failed task changes nothing": Protection(
        "app/integrations/tasks/deps.py",
        "        yield session\n",
        "        try:\n            yield session\n        finally:\n            await session.commit()\n",
        "tests/integrations/tasks/test_commands.py -k rolled_back",
        TASKIQ,
    ),
    "a task that fails for ever": Protection(
        "app/integrations/tasks/stream.py",
        "if attempts >= MAXIMUM_ATTEMPTS:",
        "if False:",
        "tests/integrations/tasks/test_tasks.py -k given_up",
        TASKIQ,
    ),
    "a task that takes too long": Protection(
        "app/integrations/tasks/broker.py",
        "LogMiddleware(), TimeLimitMiddleware()",
        "LogMiddleware()",
        "tests/integrations/tasks/test_tasks.py -k too_long",
        TASKIQ,
    ),
    "tasks of another version": Protection(
        "app/integrations/tasks/stream.py",
        "if self.find_task(name) is None:",
        "if False:",
        "tests/integrations/tasks/test_tasks.py -k another_version",
        TASKIQ,
    ),
    "one scheduler sends what is due": Protection(
        "app/integrations/tasks/schedule.py",
        "nx=True, ",
        "",
        "tests/integrations/tasks/test_schedule.py -k send_it_once",
        TASKIQ,
    ),
    "an outage costs no period": Protection(
        "app/integrations/tasks/schedule.py",
        "                task.interval = 1\n",
        "",
        "tests/integrations/tasks/test_schedule.py -k each_second",
        TASKIQ,
    ),
    "what is done leaves the stream": Protection(
        "app/integrations/tasks/stream.py",
        "            pipeline.xdel(self.queue_name, identifier)\n",
        "",
        "tests/integrations/tasks/test_tasks.py -k again",
        TASKIQ,
    ),
}


# Protections of the code that `make resource` writes.
FIELDS = "title:str(50)! author:ref(user)?"
RESOURCES = [
    Resource("note", FIELDS, "owner"),
    Resource("task", FIELDS),
    Resource("plan", FIELDS, "admin"),
    Resource("page_view", FIELDS, "public"),
    Resource("post", FIELDS, "public-owner"),
    Resource("line", FIELDS, parent="note"),
]
OF_RESOURCES = {
    "what belongs to another user": Protection(
        "app/repository/note_repository.py",
        " & (Note.owner_id == self.owner_id)",
        "",
        "tests/integration/test_note_api.py",
    ),
    "sign-in": Protection(
        "app/api/v1/task_router.py",
        "    dependencies=SIGNED_IN,\n",
        "",
        "tests/integration/test_task_api.py",
    ),
    "administrators only": Protection(
        "app/api/v1/plan_router.py",
        "    dependencies=ADMIN,\n",
        "",
        "tests/integration/test_plan_api.py",
    ),
    "no writing without sign-in": Protection(
        "app/api/v1/page_view_router.py",
        "@router.patch(ONE, dependencies=SIGNED_IN,",
        "@router.patch(ONE,",
        "tests/integration/test_page_view_api.py",
    ),
    "what belongs to another user is not written": Protection(
        "app/service/post_service.py",
        "record.owner_id != caller.id",
        "False",
        "tests/integration/test_post_api.py",
    ),
    "records of another parent": Protection(
        "app/repository/line_repository.py",
        "            scope &= Line.note_id == self.note_id",
        "            pass",
        "tests/integration/test_line_api.py",
    ),
    "records of a parent that the caller may not read": Protection(
        "app/api/v1/line_router.py",
        "    return (await service.get(note_id)).id",
        "    return note_id",
        "tests/integration/test_line_api.py -k others",
    ),
    "no reference to what is deleted": Protection(
        "app/repository/base.py",
        "        await self._lock_references(values)\n        return values",
        "        return values",
        "tests/integration/test_task_api.py",
    ),
    "a unique field": Protection(
        "app/domain/models/note.py",
        "unique=True",
        "unique=False",
        "tests/integration/test_migrations.py",
    ),
}

# The tests of these wait for processes and timeouts, so that only `make test-long` runs them.
LONG = {
    "several processes deliver a message once",
    "workers that count together",
    "nothing in progress in a dead worker",
    "a killed worker's task",
    "readiness that fails first",
    "readiness has its own connection",
    "the driver's timeout",
    "no request waits for SMTP forever",
    "SQLite: an export may take longer",
    "a task that fails for ever",
    "a task that takes too long",
    "the outbox outlives an outage",
    "a failed task changes nothing",
    "an export is never in memory as a whole",
    "counts of all processes",
}
