"""The pages state the figures that were measured. `make test-long` runs the benchmark, with `docs/performance.md`."""

import json
from pathlib import Path

import pytest

from benchmarks import report, updates
from benchmarks.steps import STEPS, Step
from tests import resources
from tests.conftest import Render
from tests.resources import Resource


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: str(page.name))
def test_a_page_has_the_figures_of_the_last_result(page: Path) -> None:
    result = json.loads(report.RESULT.read_text("utf-8"))
    text = page.read_text("utf-8")

    assert report.PAGES[page](result) in text
    assert report.with_figures(text, report.PAGES[page](result)) == text


def test_the_page_about_updates_has_the_figures_of_the_last_result() -> None:
    figures = updates.text(json.loads(updates.RESULT.read_text("utf-8")))

    assert report.with_figures(updates.PAGE.read_text("utf-8"), figures) == updates.PAGE.read_text("utf-8")
    assert figures in updates.PAGE.read_text("utf-8")


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_a_step_that_is_measured_is_in_the_code(render: Render, tmp_path: Path, step: Step) -> None:
    resources.render([Resource("article", "title:str(100)")], tmp_path)
    (file,) = [folder / step.file for folder in (render(), tmp_path) if (folder / step.file).exists()]

    assert file.read_text("utf-8").count(step.old) == 1
