"""Records that are found by a slug: a few words from the record that a person can read in a path."""

from secrets import token_hex
from typing import Any, ClassVar
from unicodedata import category, normalize

from sqlalchemy import select

from app.domain.models.base import Slugged
from app.repository.base import Repository

# In characters, without the ending that makes a slug unique.
LENGTH = 64
# The words that other paths have in the place of a slug.
RESERVED = {"export"}


class SluggedRepository[Model: Slugged](Repository[Model]):
    """A repository whose `create` makes the slug of a record from its field `slug_source`.

    The slug is unique among the records that are not deleted, and stays the same when the field changes.
    """

    slug_source: ClassVar[str]

    async def get_by_slug(self, slug: str) -> Model | None:
        """Returns the record, or None if there is none with this slug in `scope`."""
        chosen = select(self.model).where(self.model.slug == slug, self.scope)
        return await self.session.scalar(chosen.options(*self.loader_options))

    async def create(self, /, **values: Any) -> Model:
        """Creates the record with its slug. Raises ConflictError if a record that it refers to is deleted."""
        slug = await self._unique(slug_of(values[self.slug_source]))
        return await super().create(slug=slug, **values)

    async def _unique(self, slug: str) -> str:
        """Returns the slug, with a random ending if it is taken. Of two made at the same time, one may be refused."""
        taken = select(self.model.id).where(self.model.slug == slug, self.model.deleted_at.is_(None))
        if slug and slug not in RESERVED and await self.session.scalar(taken) is None:
            return slug
        return f"{slug}-{token_hex(4)}".removeprefix("-")


def slug_of(text: str) -> str:
    """Returns the words of a text in lower case and without accents, or an empty string if it has no words.

    A text without any Latin letter or digit keeps its script.
    """
    latin = normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = _words(latin) or _words(normalize("NFKC", text))
    return "-".join(words)[:LENGTH].strip("-")


def _words(text: str) -> list[str]:
    """Returns the runs of letters, marks and digits (the Unicode categories L, M and N)."""
    return "".join(char if category(char)[0] in "LMN" else " " for char in text.lower()).split()
