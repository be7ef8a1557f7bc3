from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from app.domain.models.user import Role, User
from app.repository.base import Repository
from app.repository.readers import Readers


class UserRepository(Repository[User]):
    """The users that are not deleted."""

    model = User
    # Of the users that a record refers to, its readers get no more than a UserSummary.
    readers = Readers.ANYBODY
    sortable = (
        User.created_at,
        User.updated_at,
        User.email,
        User.full_name,
    )
    searchable = (
        User.email,
        User.full_name,
    )

    async def get_by_email(self, email: str) -> User | None:
        """Returns the user, or None. `email` must be in the form that `normalize_email` returns."""
        return await self.session.scalar(select(User).where(User.email == email, self.scope))

    async def lock(self, user_id: UUID, *, alone: bool = False) -> User | None:
        """Returns the user as it is now, if it is active, and keeps it so until the end of the transaction.

        With `alone`, other transactions that lock the user wait.
        """
        return await self.session.scalar(
            select(User).where(User.id == user_id, User.is_active, self.scope).with_for_update(read=not alone),
            execution_options={"populate_existing": True},
        )

    async def lock_admins(self) -> Sequence[UUID]:
        """Returns the IDs of all active administrators. Nobody else can make them fewer until the transaction ends."""
        admins = select(User.id).where(User.role == Role.ADMIN, User.is_active, self.scope)
        return (await self.session.scalars(admins.order_by(User.id).with_for_update())).all()

    async def end_transaction(self) -> None:
        """Ends the transaction, so that no connection is held while something else takes its time."""
        await self.session.commit()

    release = end_transaction  # deprecated: this name is removed in 0.6.0
