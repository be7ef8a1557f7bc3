from sqlalchemy import select

from app.domain.models.user import User
from app.repository.base import Repository


class UserRepository(Repository[User]):
    model = User
    sortable = (User.created_at, User.updated_at, User.email, User.full_name)
    searchable = (User.email, User.full_name)

    async def get_by_email(self, email: str) -> User | None:
        """`email` as `normalize_email` spells it."""
        return await self.session.scalar(select(User).where(User.email == email, self._live))
