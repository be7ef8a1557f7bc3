"""Each option can be switched on later and off again, and the projects of all profiles pass their own tests."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from copier import VcsRef, run_copy, run_update

from tests import releases
from tests.conftest import IN_PROCESS, Install, Render, copy, lend_environment, run, some_long
from tests.project_edits import SETS
from tests.test_render import contents
from tests.variants import FACTORS, NONE, PROFILES, Answers, choices

pytestmark = pytest.mark.slow

MINIMAL = PROFILES["minimal"]
# The other choices that an option needs.
NEEDS = {"taskiq": {"cache": "valkey"}}


def options() -> dict[str, Answers]:
    """Returns each choice of copier.yml that may be added to a minimal project."""
    return {
        f"{name}={value}": NEEDS.get(value, {}) | {name: [value] if isinstance(none, list) else value}
        for name, none in NONE.items()
        for value in choices(name)
        if value != none
    }


OPTIONS = options()
# One of each kind, where options are of a kind: `make test-long` switches the others as well.
DIFFERENT = {"database=sqlite", "tasks=taskiq", "mail=smtp", "observability=sentry", "ci=gitlab", "kubernetes=True"}


@pytest.fixture(scope="module")
def minimal(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("minimal") / "backend"
    run_copy(str(clone), project, data=MINIMAL, defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=project)
    commit_all(project)
    return project


def commit_all(project: Path) -> None:
    run("git", "add", "-A", cwd=project)
    run("git", "commit", "-qm", "all", cwd=project)


def switch(project: Path, answers: Answers) -> None:
    run_update(str(project), data=answers, vcs_ref=VcsRef.CURRENT, defaults=True, overwrite=True, quiet=True)
    assert run("git", "diff", "--name-only", "--diff-filter=U", cwd=project) == ""
    commit_all(project)


def rendered(project: Path) -> dict[str, bytes]:
    return {name: text for name, text in contents(project).items() if not name.startswith(".git/")}


@pytest.mark.parametrize("answers", some_long(OPTIONS, OPTIONS.keys() - DIFFERENT))
def test_an_option_that_is_switched_on_later_is_the_same_and_goes_whole(
    clone: Path, minimal: Path, tmp_path: Path, answers: Answers
) -> None:
    project = Path(shutil.copytree(minimal, tmp_path / "later"))
    run_copy(str(clone), tmp_path / "start", data=MINIMAL | answers, defaults=True, quiet=True, vcs_ref="HEAD")
    chosen = rendered(tmp_path / "start")
    assert chosen != rendered(minimal), "it has no effect"

    switch(project, answers)
    assert rendered(project) == chosen

    switch(project, {name: NONE[name] for name in answers})
    assert rendered(project) == rendered(minimal)


# --- In a project with edits of its own

LIVED = ("settings", "routes", "service rules", "dependencies, compose and Make")


@pytest.fixture(scope="module")
def lived(minimal: Path, install: Install, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a project with edits, and with an edited resource."""
    project = Path(shutil.copytree(minimal, tmp_path_factory.mktemp("lived") / "backend"))
    lend_environment(install(**MINIMAL), project)
    run("make", "install", cwd=project)
    for name in (*LIVED, "resources"):
        SETS[name].make(project)
    commit_all(project)
    return project


@pytest.mark.parametrize("answers", some_long(OPTIONS, OPTIONS.keys() - {"tasks=taskiq"}))
def test_an_option_leaves_what_the_project_did_as_it_is(
    clone: Path, lived: Path, tmp_path: Path, answers: Answers
) -> None:
    project = copy(lived, tmp_path / "later")
    before = kept(project)
    run_copy(str(clone), tmp_path / "start", data=MINIMAL | answers, defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=tmp_path / "start")
    for name in LIVED:
        SETS[name].make(tmp_path / "start")

    switch(project, answers)
    chosen = {name: text for name, text in before.items() if "note" in name} | kept(tmp_path / "start")
    assert kept(project) == chosen

    switch(project, {name: NONE[name] for name in answers})
    assert kept(project) == before


def kept(project: Path) -> dict[str, bytes]:
    """Returns the files that git tracks or would track, without the commit: that of a dirty tree differs each time."""
    known = releases.contents(project, "uv.lock")
    return {name: re.sub(rb"^_commit: .*$", b"", text, flags=re.MULTILINE) for name, text in known.items()}


# --- By hand, in a project with every option: the folders to delete, and the corresponding answers

DELETED: dict[str, tuple[list[str], Answers]] = {
    "metrics": (["metrics"], {"observability": ["tracing", "sentry"]}),
    "tracing": (["tracing"], {"observability": ["metrics", "sentry"]}),
    "sentry": (["sentry"], {"observability": ["metrics", "tracing"]}),
    "tasks": (["tasks"], {"tasks": "none"}),
    "mail": (["mail"], {"mail": "none"}),
    "cache": (["tasks", "cache"], {"tasks": "none", "cache": "none"}),
}
# The other files of an option, besides its folder and its tests.
ITS_OWN = {
    "tasks": [
        "app/tasks",
        "app/worker.py",
        "docs/tasks.md",
        "kubernetes/base/worker.yaml",
        "kubernetes/base/scheduler.yaml",
        "tests/faults/test_outbox_tasks.py",
        "tests/faults/test_tasks.py",
    ],
    "mail": ["docs/accounts.md", "scripts/local_mail.py"],
    "cache": ["docs/cache.md", "scripts/local_valkey.py", "tests/faults/test_cache.py"],
}
# Files in which several options have lines.
WIRING = re.compile(
    r"app/(__main__|core/config|domain/schemas/user)\.py|scripts/local\.py|pyproject\.toml|Makefile|\.env\.example|docker/.*|kubernetes/base/.*"
    r"|SECURITY\.md|\.copier-answers\.yml"
)
# Tests about all routes, tables and modules.
OF_THE_WHOLE = "-k 'unit or openapi or access or migrations or cost or head_api'"
# Tests of two options together, which are skipped if one of them is missing.
OF_TWO = {"tests/integrations/tracing/test_traced_cache.py", "tests/integrations/tasks/test_reported_jobs.py"}


@pytest.mark.parametrize("option", DELETED)
def test_an_option_can_be_deleted_by_hand(
    render: Render, install: Install, tmp_path: Path, *, option: str, is_whole: bool
) -> None:
    folders, answers = DELETED[option]
    project = Path(shutil.copytree(render(profile="full"), tmp_path / "project"))
    expected = render(**{"profile": "full"} | answers)

    for folder in folders:
        for path in (f"app/integrations/{folder}", f"tests/integrations/{folder}", *ITS_OWN.get(folder, [])):
            run("rm", "-r", path, cwd=project)
    for name in filter(WIRING.fullmatch, contents(expected)):
        shutil.copy(expected / name, project / name)

    left = {name: text for name, text in contents(project).items() if name not in OF_TWO - contents(expected).keys()}
    assert left == contents(expected), "an option has more than its folder, its tests and lines of wiring"
    run("git", "init", "-q", cwd=project)
    lend_environment(install(profile="full"), project)
    run("make", "install", cwd=project)
    run("make", "lint", cwd=project)
    # The rest is as rendered, and its tests run with the profiles. Here, the tests about all parts run, by default in
    # the project that has the fewest parts.
    if is_whole or option == "cache":
        run("make", "test", f"ARGS=-n 2 {'' if is_whole else OF_THE_WHOLE}", cwd=project)


def test_every_question_with_choices_is_an_option_here_or_changes_one_word() -> None:
    assert {name for name, _ in FACTORS} == NONE.keys() | {"license", "python_version"}


# Lint passed when the projects were installed. test_pipelines.py runs `make check` of the full one, with resources, and
# test_owners.py runs the tests of the standard one after its owner's changes.
SUITES = [
    ("minimal", f'test "ARGS={IN_PROCESS}"'),
    ("sqlite-tasks", "test"),
    ("sqlite-tasks", "test-faults ARGS='-k under_kills'"),
    pytest.param("standard", "check", marks=pytest.mark.long),
    pytest.param("full", "check", marks=pytest.mark.long),
    pytest.param("sqlite-tasks", "test-faults", marks=pytest.mark.long),
    pytest.param("minimal", "test", marks=pytest.mark.long),
]
# How much the long suites do while processes are killed.
MUCH = {"OUTBOX_WRITES": "1000", "REPEATED_POSTS": "500"}


@pytest.mark.parametrize(("profile", "targets"), SUITES)
def test_a_profile_passes_its_own_suite(
    install: Install, request: pytest.FixtureRequest, tmp_path: Path, profile: str, targets: str
) -> None:
    project = copy(install(**PROFILES[profile]), tmp_path / "backend")
    is_long = request.node.get_closest_marker("long") is not None

    output = run("make", *shlex.split(targets), cwd=project, environment=MUCH if is_long else {})

    assert re.search(r" passed(, \d+ deselected)? in ", output)
    assert not re.search(r"^=.* \d+ (failed|error|skipped|xfailed).* in [\d.]+s", output, re.MULTILINE)
    assert run("git", "status", "--porcelain", cwd=project) == ""
