"""Edits the files of a resource as people would, and at places that they would choose."""

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from random import Random

from tests.resources import macro


@dataclass(frozen=True)
class Edit:
    file: str
    place: str  # a pattern: the code follows what it matches
    code: str
    instead: bool = False  # among the matches of the pattern

    def of(self, name: str) -> "Edit":
        """Returns this edit for the resource of that name."""
        class_name = macro("naming", "class_name")(name)
        texts = (self.file, self.place, self.code)
        file, place, code = (text.replace("{name}", name).replace("{Class}", class_name) for text in texts)
        return replace(self, file=file, place=place, code=code)

    def put(self, text: str) -> str:
        def written_at(match: re.Match[str]) -> str:
            return self.code if self.instead else match[0] + self.code

        written, count = re.subn(self.place, written_at, text, count=1, flags=re.MULTILINE)
        assert count == 1, (self.place, text)
        return written

    def make(self, project: Path) -> None:
        path = project / self.file
        path.write_text(self.put(path.read_text()))

    def touches(self, before: str, after: str) -> bool:
        """Returns whether adjacent lines change.

        Git places an insertion as low as possible: an empty line before it may be taken for the one after it.
        """
        edited = self.put(before)
        first = last = edited[: edited.index(self.code)].count("\n")
        lines, height = edited.splitlines(), self.code.count("\n")
        while height and last + height < len(lines) and lines[last] == lines[last + height]:
            last += 1
        changed = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).get_opcodes()
        return any(kind != "equal" and start <= last and first <= end for kind, start, end, _, _ in changed)


METHOD = """
    def greeting(self) -> str:
        return "Good morning"
"""
RULE = """
    def may_hold(self, count: int) -> bool:
        return count > 0
"""
ROUTE = """@router.get("/of/mine")
async def greet_{name}(service: {Class}ServiceDep) -> MessageResponse:
    return MessageResponse(message=type(service).__name__)
"""
DOCSTRING = """    \"\"\"As we agreed upon.\"\"\"

"""
VALIDATOR = """
    def model_post_init(self, context: object, /) -> None:
        \"\"\"Checks what no field can check alone.\"\"\"
"""
UNIT_TEST = """

async def test_what_was_agreed_upon(service: {Class}Service) -> None:
    assert type(service) is {Class}Service
"""
API_TEST = """    async def test_a_greeting(self, user: AsyncClient) -> None:
        assert (await user.get(f"{PATH}/of/mine")).json()["message"] == "{Class}Service"

"""

SERVICE, REPOSITORY = "app/service/{name}_service.py", "app/repository/{name}_repository.py"
ROUTER, SCHEMAS = "app/api/v1/{name}_router.py", "app/domain/schemas/{name}.py"
UNIT_TESTS, API_TESTS = "tests/unit/test_{name}_service.py", "tests/integration/test_{name}_api.py"

# Next to some of these places, the template adds and removes lines.
KINDS = [
    [Edit(SERVICE, r"\Z", METHOD), Edit(SERVICE, r"(?<=\n)(?=\n    async def get)", METHOD)],
    [Edit(REPOSITORY, r"\Z", RULE), Edit(REPOSITORY, r"^    model = .*\n", RULE + "\n")],
    [Edit(ROUTER, r"\Z", "\n\n" + ROUTE), Edit(ROUTER, r'(?=@router.post\("")', ROUTE + "\n\n")],
    [
        Edit(SCHEMAS, r"^class {Class}Create\(.*\n", DOCSTRING),
        Edit(SCHEMAS, r"^class {Class}Response\(.*\n", DOCSTRING),
        Edit(SCHEMAS, r"(?<=\n)(?=\n\nclass {Class}Update)", VALIDATOR),
        Edit(SCHEMAS, r"\Z", VALIDATOR),
    ],
    [
        Edit(UNIT_TESTS, r"\Z", UNIT_TEST),
        Edit(API_TESTS, r"\Z", "\n" + API_TEST.rstrip("\n") + "\n"),
        Edit(API_TESTS, r'(?=^    @pytest.mark.parametrize\("method", .*\n.*unknown_is)', API_TEST),
    ],
]


def chosen(name: str, random: Random) -> list[Edit]:
    """Returns one edit of each kind."""
    return [random.choice(edits).of(name) for edits in KINDS]
