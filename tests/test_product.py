"""Every possible combination of options is clean as rendered. This takes long, so only `make test-product` runs it."""

from itertools import product
from pathlib import Path

import pytest
from copier import run_copy

from scripts.new import ROOT
from tests import test_render
from tests.variants import FACTORS, Answers, answers_of, is_possible

pytestmark = pytest.mark.product

# The licence does not interact with the other answers.
VALUES = [values[:1] if name == "license" else values for name, values in FACTORS]
COMBINATIONS = [answers for row in product(*VALUES) if is_possible(answers := answers_of(row))]


@pytest.mark.parametrize("answers", COMBINATIONS, ids=repr)
def test_it_is_clean_as_rendered(answers: Answers, tmp_path: Path) -> None:
    project = tmp_path / "project"

    run_copy(str(ROOT), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")

    test_render.test_no_file_is_empty_or_lacks_its_last_newline(project)
    test_render.test_no_jinja_is_left(project)
    test_render.test_every_file_of_data_parses(project)
    test_render.test_python_is_formatted_and_lints_as_rendered(project)
