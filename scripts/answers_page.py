"""Writes the tables of docs/answers.md from copier.yml: python -m scripts.answers_page

The values, the defaults and the order come from copier.yml. What an answer does is described here.
"""

import re
from typing import Any

import yaml
from jinja2 import Environment

from scripts.answers import choices
from scripts.new import ROOT, questions

PAGE = ROOT / "docs/answers.md"
PROFILES = ("minimal", "standard", "full")

TEXT = "one line, at most {} characters"
NAME = "lower-case letters, digits, {}"

# What the answer does, and if it has no choices, which values are valid and where its default comes from.
ANSWERS: dict[str, tuple[str, ...]] = {
    "kind": ("which template of this repository is rendered; not asked",),
    "profile": ("the defaults of the options below; asked once",),
    "project_name": ("the title in the API documentation and the README", TEXT.format(60)),
    "project_slug": (
        "the distribution, the image and the compose project; not asked",
        NAME.format("hyphens"),
        "from the name",
    ),
    "description": ("metadata and README", TEXT.format(100)),
    "author_name": ("metadata and copyright", TEXT.format(80), "`<project_name> authors`"),
    "author_email": ("metadata; not asked", "an e-mail address or nothing", "nothing"),
    "license": ("`LICENSE` and metadata; `none` renders no file",),
    "python_version": ("`requires-python`, `.python-version`, the base image, the versions that CI runs",),
    "database": ("the engine, the driver and what `make dev` starts; SQLite is a file on one machine",),
    "cache": ("limits shared by all processes, users read through a cache, `CACHE_URL`",),
    "tasks": ("Taskiq: tasks in `app/tasks/`, run by `make worker`; needs `cache=valkey`",),
    "observability": ("any of: `/metrics` for Prometheus, OpenTelemetry spans, errors to Sentry",),
    "mail": ("e-mails for address verification, password resets, invitations and notices, `SMTP_URL`",),
    "kubernetes": ("manifests in `kubernetes/`; needs `database=postgresql`",),
    "ci": ("the workflow or pipeline that runs `make check`",),
    "resource": ("its name, in the singular", NAME.format("underscores; at most 24"), ""),
    "between": (
        "the two sides of a link, which has no other answer below but `plural`",
        "`user article`, or `user user`",
        "",
    ),
    "access": ("who may use it",),
    "fields": ("the columns", "`name:type(arguments)!?^~/=default`, separated by spaces", ""),
    "key": ("what identifies a record in paths",),
    "parent": (
        "the resource that it is nested under: `/articles/{article_id}/comments`",
        "a resource with a record",
        "nothing",
    ),
    "plural": ("table, path and names in the code", NAME.format("underscores; at most 28"), "from the name"),
    "check": ("how fields compare", "`ends_at>starts_at`, also `>= < <=`, separated by spaces", "nothing"),
    "unique": ("which fields are unique together", "`number+year`, separated by spaces", "nothing"),
    "expand": (
        "which references and links `expand=` includes in responses",
        "their names, separated by spaces",
        "nothing",
    ),
}

Question = dict[str, Any]


def listed(questions: dict[str, Question]) -> str:
    """Returns a table with a row for each question, in their order."""
    rows = [_row(name, question) for name, question in questions.items()]
    return "\n".join(["| answer | values | default | what it does |", "|---|---|---|---|", *rows])


def profiles(questions: dict[str, Question]) -> str:
    """Returns a table of the defaults that each profile chooses."""
    chosen = [_chosen(questions, profile) for profile in PROFILES]
    rows = [
        f"| {name} | {' | '.join(_code(answers[name]) for answers in chosen)} |"
        for name, question in questions.items()
        if "profile" in str(question.get("default")) and name != "profile"
    ]
    return "\n".join([f"| | {' | '.join(map(_code, PROFILES))} |", "|---|---|---|---|", *rows])


def page() -> str:
    """Returns the page with up-to-date tables."""
    template = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    asked = {name: question for name, question in template.items() if name in ANSWERS}
    of_projects = questions()
    project = {name: question for name, question in asked.items() if name in of_projects}
    resource = {name: question for name, question in asked.items() if name not in project}
    tables = iter([listed(project), profiles(project), listed(resource)])
    return re.sub(r"^\|.*?(?=\n\n)", lambda _: next(tables), PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def _row(name: str, question: Question) -> str:
    what, *text = ANSWERS[name]
    if "choices" in question:
        text = [", ".join(map(_code, choices(question))), _default(question["default"])]
    values, default = text if len(text) == 2 else [*text, _code(question["default"])]  # noqa: PLR2004
    return f"| `{name}` | {values} | {default} | {what} |".replace("|  |", "| |")


def _default(default: str) -> str:
    if "profile" in default:
        return "by profile"
    return _code(default.rsplit("'", 2)[-2] if "{{" in default else default)


def _chosen(questions: dict[str, Question], profile: str) -> dict[str, Any]:
    jinja = Environment(autoescape=False)  # noqa: S701 (renders no page)
    jinja.filters["fileglob"] = lambda _: []
    answers: dict[str, Any] = {"profile": profile, "_copier_conf": {"dst_path": ""}}
    for name, question in questions.items():
        default = str(question.get("default", ""))
        if name not in answers and "import" not in default:
            answers[name] = yaml.safe_load(jinja.from_string(default).render(answers)) if default else ""
    return answers


def _code(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(f"`{str(one).lower() if isinstance(one, bool) else one}`" for one in values) or "nothing"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
