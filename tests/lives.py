"""Draws random resources, each with a sequence of changes. Together they cover all kinds of change."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.resources import Resource
from tests.test_fields import ACCESS, accepted, possible

LABELS = ["a", "a1", "a10", "a9", "b_c", "bc", "due", "i", "password", "rank", "some_token", "title", "total", "z"]
CHANGES = 3
KINDS = ["add", "drop", "rename", "access"]
# {0} is the number of the row. These values work in SQL, and as a backfill.
VALUES = {
    "float": "{0}.5",
    "bool": "true",
    "date": "200{0}-01-01",
    "datetime": "200{0}-01-01T00:00:00Z",
    "uuid": "{0:032x}",
    "json": "{{}}",
    "email": "a{0}@example.com",
    "url": "https://example.com/{0}",
    "ref": "{0:032x}",
}


@dataclass(frozen=True)
class Change:
    add: dict[str, str] = field(default_factory=dict)
    drop: Sequence[str] = ()
    rename: dict[str, str] = field(default_factory=dict)
    access: str = ""

    def applied(self, resource: Resource) -> Resource:
        kept = {
            self.rename.get(label, label): kind for label, kind in parted(resource).items() if label not in self.drop
        }
        return replace(resource, fields=joined(kept | self.add), access=self.access or resource.access)

    def arguments(self, resource: Resource) -> list[str]:
        required = [name for name, kind in self.add.items() if not set(kind) & {"?", "="}]
        fills = [f"{name}={value(self.add[name], 1)}" for name in required]
        if "owner" in self.access and "owner" not in resource.access:
            fills.append(f"owner_id={value('ref(user)', 1)}")
        given = {
            "name": resource.name,
            "add": joined(self.add),
            "drop": " ".join(self.drop),
            "rename": joined(self.rename),
            "access": self.access,
            "backfill": " ".join(fills),
            "yes": "1",
        }
        return [f"{name}={text}" for name, text in given.items() if text]


@dataclass(frozen=True)
class Life:
    start: Resource
    changes: Sequence[Change]

    @property
    def states(self) -> list[Resource]:
        """Returns the resource at its start, and after each change."""
        states = [self.start]
        for change in self.changes:
            states.append(change.applied(states[-1]))
        return states

    @property
    def kept(self) -> dict[str, str]:
        """Maps the first name of each column that exists throughout to its last name."""
        names = {label: label for label in parted(self.start)}
        for change in self.changes:
            names = {old: change.rename.get(now, now) for old, now in names.items() if now not in change.drop}
        start, end = columns(self.states[0]), columns(self.states[-1])
        return {start[old]: end[now] for old, now in names.items()}


def parted(resource: Resource) -> dict[str, str]:
    return dict(field.split(":", 1) for field in resource.fields.split())


def joined(pairs: dict[str, str]) -> str:
    return " ".join(f"{name}:{kind}" for name, kind in pairs.items())


def columns(resource: Resource) -> dict[str, str]:
    return {label: f"{label}_id" if kind.startswith("ref(") else label for label, kind in parted(resource).items()}


def value(kind: str, row: int) -> str:
    name, _, arguments = kind.partition("(")
    name = name.rstrip("!?^~").partition("=")[0].rstrip("!?^~")
    return arguments.split(",")[0].split(")")[0] if name == "enum" else VALUES.get(name, "{0}").format(row)


def kinds_of_fields(name: str, other: str) -> list[str]:
    """Returns all spellings of all types, with references to a user, to the resource itself and to another one."""
    plain = [kind.replace("ref(item)", f"ref({other})") for kind in possible() if not kind.startswith("ref(zz")]
    return [*plain, f"ref({name})?"]


@st.composite
def lives(draw: st.DrawFn, name: str, other: str) -> Life:
    kinds = st.sampled_from(kinds_of_fields(name, other))
    fields = st.dictionaries(st.sampled_from(LABELS), kinds, min_size=3, max_size=6).map(joined)
    start = Resource(name, draw(fields), draw(st.sampled_from(ACCESS)))
    first, second, *both = draw(st.permutations(KINDS))
    life = Life(start, [])
    for parts in draw(st.permutations([[first], [second], both])):
        change = draw(changes(life.states[-1], parts, kinds))
        life = replace(life, changes=[*life.changes, change])
    return life


@st.composite
def changes(draw: st.DrawFn, resource: Resource, parts: Sequence[str], kinds: st.SearchStrategy[str]) -> Change:
    """Draws a change. A field that is unique and required cannot be added, since rows exist."""
    old, renamed, *_ = draw(st.permutations(list(parted(resource))))
    new = draw(st.permutations([label for label in LABELS if label not in parted(resource)]))
    addable = kinds.filter(lambda kind: "!" not in kind or "?" in kind)
    added = new[1 : draw(st.integers(2, 3))]
    all_parts: dict[str, Any] = {
        "add": {label: draw(addable) for label in added},
        "drop": [old],
        "rename": {renamed: new[0]},
        "access": draw(st.sampled_from([access for access in ACCESS if access != resource.access])),
    }
    return Change(**{part: all_parts[part] for part in parts})


def drawn(number: int, count: int) -> list[Life]:
    """Returns lives that one project can have, always the same for the same number."""
    found: list[tuple[Life, ...]] = []
    names = [f"thing_{letter}" for letter in "abcdefgh"[:count]]
    together = st.tuples(*(lives(name, other) for name, other in zip(names, ["user", *names], strict=False)))

    @seed(number)
    @settings(max_examples=2, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(together)
    def collect(group: tuple[Life, ...]) -> None:
        assert all(accepted(state) for life in group for state in life.states)
        found.append(group)

    collect()
    return list(found[-1])  # the first one is the simplest
