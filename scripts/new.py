"""`make new`: asks the questions and renders from this clone. If that fails, says why in one sentence.

python -m scripts.new DESTINATION [ANSWER=VALUE ...]
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from copier import run_copy

ROOT = Path(__file__).resolve().parents[1]


def questions(kind: str = "project") -> set[str]:
    """Returns the names of all answers that copier.yml knows for this kind."""
    template = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    asked_when = {name: question.get("when") for name, question in template.items() if not name.startswith("_")}
    conditions = [None, f"{{{{ kind == '{kind}' }}}}", *(["{{ kind != 'project' }}"] if kind != "project" else [])]
    return {name for name, when in asked_when.items() if when in conditions}


def copy_working_tree(directory: Path) -> None:
    """Copies all files of this clone, committed or not, except for those that git ignores."""
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    for name in subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)


def render(destination: str, answers: dict[str, str]) -> None:
    """Renders the backend. Raises SystemExit with one sentence if it cannot."""
    if not destination:
        sys.exit("Say where to put the backend: make new DEST=../my-backend")
    if unknown := answers.keys() - questions():
        sys.exit(f"There is no answer {', '.join(sorted(unknown))}: there are {', '.join(sorted(questions()))}.")
    try:
        run_copy(str(ROOT), Path(destination).expanduser(), data=answers, vcs_ref="HEAD", unsafe=False)
    except KeyboardInterrupt:
        sys.exit("Stopped; nothing was written.")
    except Exception as error:  # noqa: BLE001 (Copier's validators raise ValueError, its checks errors of many kinds)
        sys.exit(re.sub(r"^Validation error for question '\w+': ", "", str(error)))


if __name__ == "__main__":
    render(sys.argv[1], dict(argument.split("=", 1) for argument in sys.argv[2:]))
