"""What is said about speed is what was measured. `docs/performance.md` has the measuring itself run."""

import json
from pathlib import Path

import pytest

from benchmarks import report


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: str(page.name))
def test_a_page_has_the_figures_of_the_last_result(page: Path) -> None:
    result = json.loads(report.RESULT.read_text("utf-8"))
    text = page.read_text("utf-8")

    assert report.PAGES[page](result) in text
    assert report.with_figures(text, report.PAGES[page](result)) == text
