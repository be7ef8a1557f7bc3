"""The tables that the models of the project describe, also with other models than it has now."""

import io
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Table

from scripts.template.files import File, write
from scripts.template.git import git_bytes
from scripts.template.project import ROOT

Tables = Mapping[str, Table]


def tables_with(files: Mapping[str, File | None]) -> Tables:
    """Returns the tables as they are with these files in the project. None removes a file."""
    with project_with(files) as folder:
        return tables_in(folder)


@contextmanager
def project_with(files: Mapping[str, File | None]) -> Iterator[Path]:
    """Yields a temporary folder with the project's `app/` and these files in it. None removes a file."""
    with TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "app", Path(folder) / "app", ignore=shutil.ignore_patterns("__pycache__"))
        for name, file in files.items():
            if file:
                write(Path(folder) / name, file)
            else:
                (Path(folder) / name).unlink(missing_ok=True)
        yield Path(folder)


def tables_at(commit: str) -> Tables:
    """Returns the tables of the models as of that commit. Raises SystemExit like `tables_in`."""
    archive = io.BytesIO(git_bytes("archive", commit, "app"))
    with TemporaryDirectory() as folder, tarfile.open(fileobj=archive) as app:
        app.extractall(folder, filter="data")
        return tables_in(Path(folder))


def tables_in(folder: Path) -> Tables:
    """Returns the tables of the models. Raises SystemExit with one sentence if they cannot be imported."""
    if not (folder / "app/domain/models").is_dir():
        return {}
    with importing_from(folder):
        try:
            import_module("app.domain.models")
            tables: Tables = dict(import_module("app.domain.models.base").Base.metadata.tables)
        except Exception as error:  # noqa: BLE001 (code of the user, which may fail in any way)
            sys.exit(f"The models do not fit together: {str(error).partition('. ')[0]}.")
        return tables


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Makes `app` the package in that folder. Afterwards, no `app` is imported."""
    finders = list(sys.meta_path)
    forget()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.meta_path[:] = finders
        forget()


def forget() -> None:
    """Forgets that `app` was imported, so that the next import reads its files again."""
    for name in [name for name in sys.modules if name.split(".")[0] == "app"]:
        del sys.modules[name]
    invalidate_caches()
