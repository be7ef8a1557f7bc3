"""Types the commands of the documentation exactly as written, in their order, on a machine where nothing is set up."""

import os
import re
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

import pexpect
import pytest
from copier import run_copy

from scripts.demo import free_port
from scripts.new import ROOT
from tests.conftest import lend_environment, run, some_long

pytestmark = pytest.mark.slow

# Pages whose commands are typed in a rendered project, with its answers. The others are typed here.
PROJECT: dict[str, dict[str, bool | str]] = {
    "template/README.md.jinja": {},
    # Without a Docker engine, there is no stand-in for the mailbox of MODE=development.
    "docs/deploying.md": {"mail": "none"},
    "docs/resources.md": {},
    "docs/updating.md": {},
    "docs/kubernetes.md": {"kubernetes": True},
}
# Pages that begin in a project where nothing is installed. Readers of the others have run `make install`.
BEGINS = {"template/README.md.jinja"}
REPOSITORY = {"README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))} - {
    *PROJECT
}


def sections(pages: Iterable[str]) -> list[str]:
    """Returns the sections that have commands, each as `page: heading`."""
    return [f"{page}: {heading}" for page in sorted(pages) for heading in commands(ROOT / page)]


def commands(page: Path) -> dict[str, list[str]]:
    """Returns the lines of the `sh` blocks below each heading."""
    found = {}
    for section in re.split(r"^#+ ", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        heading, _, body = section.partition("\n")
        blocks = re.findall(r"```sh\n(.*?)```", body, re.DOTALL)
        if lines := [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]:
            found[heading] = lines
    return found


def heed_interrupts() -> None:
    """Handles interrupts by default again: a background job ignores them, and its child processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def type_in(lines: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Types each line in a terminal. Presses Enter at questions, and Ctrl-C when a server runs."""
    everything = dict(os.environ) | environment
    for line in lines:
        if line.startswith("cd "):
            folder /= line.removeprefix("cd ")
            continue
        terminal = pexpect.spawn(
            "bash",
            ["-c", line],
            cwd=str(folder),
            env=everything,
            encoding="utf-8",
            timeout=1800,  # no command takes as long on a healthy machine
            preexec_fn=heed_interrupts,
        )
        expected: tuple[int | None, int | None] = (0, None)
        serving, asking = "Ctrl-C stops everything|Application startup complete", "🎤"
        while (seen := terminal.expect([pexpect.EOF, serving, asking])) != 0:
            if seen == 1:
                terminal.sendintr()
                expected = (None, signal.SIGINT)
            else:
                terminal.send("\r")
        terminal.wait()  # otherwise the next line may end a process that has only closed its terminal so far
        terminal.close()
        assert (terminal.exitstatus, terminal.signalstatus) == expected, f"{line}: {terminal.before}"


# The benchmark takes longest, and nothing else depends on it.
LONG = {"docs/performance.md: Performance"}
OF_README = {line for lines in commands(ROOT / "README.md").values() for line in lines}


@pytest.mark.parametrize("section", some_long({name: name for name in sections(REPOSITORY)}, LONG))
def test_the_repository(section: str, clone: Path, without_uv: dict[str, str], tmp_path: Path) -> None:
    page, _, heading = section.partition(": ")
    repository = Path(shutil.copytree(clone, tmp_path / "strata"))
    # `make test` runs this test, so a few of its tests must suffice.
    environment = without_uv | {"PORT": str(free_port()), "PYTEST_ADDOPTS": "-k test_rendering_twice"}
    lines = [line.replace("STRATA", str(clone)) for line in commands(ROOT / page)[heading]]
    if page != "README.md":
        lines = [line for line in lines if line not in OF_README]
    if (ROOT / ".mypy_cache").exists():
        shutil.copytree(ROOT / ".mypy_cache", repository / ".mypy_cache")

    type_in(lines, repository, environment)


@pytest.mark.parametrize("section", sections(PROJECT))
def test_the_rendered_project(
    section: str, clone: Path, without_uv: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page, _, heading = section.partition(": ")
    environment = without_uv | {"PORT": str(free_port())}
    lines = [line.replace(":8000", f":{environment['PORT']}") for line in commands(ROOT / page)[heading]]
    if any("docker" in line for line in lines):
        environment |= request.getfixturevalue("new_docker")()
    project = tmp_path / "backend"
    run_copy(str(clone), project, data=PROJECT[page], defaults=True, quiet=True, vcs_ref="HEAD")
    run("git", "init", "-q", cwd=project)
    if page not in BEGINS:
        lend_environment(request.getfixturevalue("installed"), project)

    type_in(lines, project, environment)
