"""Every file that has a linter passes it as rendered, strictly, for each pair of choices."""

import json
import sys
from pathlib import Path

import pytest
from copier import run_copy

from scripts.new import ROOT
from tests import releases
from tests.conftest import Render, run
from tests.variants import PAIRWISE, PROFILES, Answers

IMPORT_ALL = """
from importlib import import_module
from pkgutil import walk_packages
import app
for module in walk_packages(app.__path__, "app."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
"""


# `make test-quick` runs the profiles only, since the pairs take long.
VARIANTS = [pytest.param(answers, id=name) for name, answers in PROFILES.items()] + [
    pytest.param(answers, id=name, marks=pytest.mark.slow) for name, answers in PAIRWISE.items()
]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, render: Render) -> Path:
    answers: Answers = request.param
    return render(**answers)


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a cache of the libraries, which are the same for all variants."""
    return tmp_path_factory.mktemp("mypy")


def test_types_are_strict(variant: Path, mypy_cache: Path) -> None:
    run("mypy", "--python-executable", sys.executable, "--cache-dir", str(mypy_cache), cwd=variant)


RESOURCES = [
    {"kind": "resource", "resource": "invoice", "access": "owner", "fields": "number:str(20) state:enum(a,b)"},
    {"kind": "resource", "resource": "article", "access": "public-owner", "fields": "title:str(20)", "key": "slug"},
    {"kind": "resource", "resource": "comment", "access": "public-owner", "fields": "body:text", "parent": "article"},
    {"kind": "link", "resource": "favourite", "between": "user article"},
]


def test_every_public_name_of_a_project_has_a_docstring(clone: Path, tmp_path: Path) -> None:
    """Except `create` of a service.

    Projects write their own rules there first, and a docstring would conflict with these rules in an update.
    """
    project = releases.render(clone, tmp_path / "backend", "HEAD", **PROFILES["full"])
    for data in RESOURCES:
        run_copy(str(clone), project, data=data, vcs_ref="HEAD", defaults=True, quiet=True)

    assert undocumented(project, "app", "scripts") == []


def test_every_public_name_of_this_repository_has_a_docstring() -> None:
    """Also in the files of the template that the full profile does not render."""
    assert undocumented(ROOT, "benchmarks", "scripts", "template/app", "template/scripts") == []


def undocumented(root: Path, *folders: str) -> list[str]:
    """Returns where a public class, method or function lacks a docstring, except for `create` of a service."""
    rules = "--select=D101,D102,D103"
    found = json.loads(run("ruff", "check", *folders, rules, "--exit-zero", "--output-format=json", cwd=root))
    places = sorted((fault["filename"], fault["location"]["row"]) for fault in found)
    return [f"{file}:{row}" for file, row in places if not is_exempt(file, row)]


def is_exempt(file: str, row: int) -> bool:
    line = Path(file).read_text("utf-8").splitlines()[row - 1]
    return "/app/service/" in file and "async def create(" in line


def test_every_module_can_be_imported(variant: Path) -> None:
    run(sys.executable, "-c", IMPORT_ALL, cwd=variant, environment={"PYTHONDONTWRITEBYTECODE": "1"})


REQUIRED = """
import json
from app.main import app
print(json.dumps(app.openapi()["components"]["schemas"]["UserCreate"]["required"]))
"""


@pytest.mark.parametrize(
    ("mail", "required"), [("none", ["email", "password", "full_name"]), ("smtp", ["email", "full_name"])]
)
def test_a_new_user_needs_a_password_where_nobody_can_be_invited(
    render: Render, mail: str, required: list[str]
) -> None:
    said = run(sys.executable, "-c", REQUIRED, cwd=render(mail=mail), environment={"PYTHONDONTWRITEBYTECODE": "1"})

    assert json.loads(said) == required


def test_the_dockerfiles_lint(variant: Path) -> None:
    run("hadolint", *map(str, (variant / "docker").rglob("Dockerfile")), cwd=variant)


def test_the_compose_files_follow_their_schema(variant: Path, tmp_path: Path) -> None:
    for path in (variant / "docker").glob("*.yml"):
        # The checker does not know the tags of Compose, which do not change the type of a value.
        (tmp_path / path.name).write_text(path.read_text("utf-8").replace("!reset ", ""), "utf-8")

    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *map(str, tmp_path.iterdir()), cwd=tmp_path)


def workflows(root: Path) -> list[str]:
    return [str(path) for path in sorted((root / ".github/workflows").glob("*.yml"))]


@pytest.mark.parametrize("own", [True, False], ids=["of this repository", "rendered"])
def test_workflows_follow_their_schema_and_are_safe(render: Render, own: bool) -> None:
    root = ROOT if own else render()
    assert workflows(root)
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows(root), cwd=root)
    run("zizmor", "--offline", "--pedantic", "--quiet", *workflows(root), cwd=root)
