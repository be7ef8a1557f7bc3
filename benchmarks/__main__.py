"""`make bench`: renders the default backend, adds a resource to it, and measures both beside two reference apps.

    python -m benchmarks [--quick | --steps]

A quick one measures less, for less long, and keeps nothing. `--steps` measures the backend beside itself without each
step that made it fast. All of it runs in a temporary folder.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from copier import run_copy

from benchmarks.load import require_generator
from benchmarks.message import add_message
from scripts.demo import step
from scripts.new import ROOT, copy_working_tree

ARTICLE = "title:str(200)~ body:text views:int^ published_at:datetime?"


def main() -> None:
    """Raises SystemExit with the status of the measurement, or with one sentence if there is no load generator."""
    parser = argparse.ArgumentParser(description="Measure the default backend beside two reference apps.")
    parser.add_argument("--quick", action="store_true", help="less, for less long; the result is not kept")
    parser.add_argument("--steps", action="store_true", help="what each step of the backend brings")
    arguments = parser.parse_args()
    require_generator()
    # The servers get the first core for themselves, and the database and the load generator the others.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[1:])
        os.environ["BENCH_CORES"] = ",".join(map(str, cores))
    with TemporaryDirectory(prefix="bench-") as folder:
        template, backend = Path(folder) / "template", Path(folder) / "backend"
        copy_working_tree(template)
        render(template, backend)
        step("Starting its PostgreSQL")
        # Not from the current folder, which has a `scripts` of its own.
        module = "benchmarks.steps" if arguments.steps else "benchmarks.measure"
        measure = [sys.executable, "-P", "-m", module, *(["--quick"] if arguments.quick else [])]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [".venv/bin/python", "-m", "scripts.local", "--migrate", *measure]
        status = subprocess.run(command, cwd=backend, env=environment, check=False).returncode
    sys.exit(status)


def render(template: Path, backend: Path) -> None:
    """Renders the backend, installs it, and adds a resource and a route that puts a message into the outbox."""
    step("Rendering the default backend, with a resource of its generator")
    run_copy(str(template), backend, data={"project_slug": "backend"}, defaults=True, quiet=True)
    subprocess.run(["make", "--silent", "install"], cwd=backend, check=True, capture_output=True)
    answers = {"RESOURCE_NAME": "article", "RESOURCE_ACCESS": "public", "RESOURCE_FIELDS": ARTICLE}
    subprocess.run(
        [".venv/bin/python", "-m", "scripts.template.resource"],
        cwd=backend,
        env=os.environ | answers,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    add_message(backend)


if __name__ == "__main__":
    main()
