"""The rules about users."""

from uuid import UUID

from app.core.exceptions import ConflictError, ForbiddenError, NotFoundError, found
from app.core.passwords import hash_password, verify_password
from app.domain.models.base import utc_now
from app.domain.models.user import Role, User
from app.domain.schemas.auth import RegisterRequest
from app.domain.schemas.user import (
    PasswordChange,
    PasswordReset,
    ProfileUpdate,
    Registration,
    UserCreate,
    UserExportQuery,
    UserListQuery,
    UserUpdate,
)
from app.repository.base import Batches, Slice
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.account_events import AccountEvents


class UserService:
    """Creates, changes and deletes users."""

    def __init__(
        self,
        users: UserRepository,
        refresh_tokens: RefreshTokenRepository,
        events: AccountEvents | None = None,
    ) -> None:
        self.users = users
        self.refresh_tokens = refresh_tokens
        self.events = events or AccountEvents()

    def export(self, query: UserExportQuery) -> Batches[User]:
        """Returns all users that match, in batches. The repository must have a snapshot session."""
        return self.users.stream(query)

    async def list(self, query: UserListQuery) -> Slice[User]:
        """Returns a page of the users."""
        return await self.users.list(query)

    async def get(self, user_id: UUID) -> User:
        """Returns the user. Raises NotFoundError."""
        return found(await self.users.get(user_id))

    async def create(self, data: UserCreate) -> User:
        password_hash = await hash_password(data.password)
        is_invited = "password" not in data.model_fields_set
        verified = {"email_verified_at": None if is_invited else utc_now()}
        values = verified | data.model_dump(exclude={"password"})
        user = await self.users.create(**values, password_hash=password_hash)
        if is_invited:
            await self.events.invited(user)
        return user

    async def register(self, data: RegisterRequest) -> User:
        """Creates a user who registers. The address is not verified yet."""
        user = await self.create(Registration(**data.model_dump()))
        await self.events.registered(user)
        return user

    async def update(self, user_id: UUID, data: UserUpdate | ProfileUpdate) -> User:
        """Writes the fields that were sent. Raises NotFoundError, ConflictError for the last administrator."""
        changes = data.model_dump(exclude_unset=True)
        deactivated = changes.get("is_active") is False
        if deactivated or changes.get("role", Role.ADMIN) is not Role.ADMIN:
            await self._keep_an_admin_besides(user_id)
        user = found(await self.users.update(user_id, **changes))
        if deactivated:
            await self.refresh_tokens.revoke_all(user_id)
        return user

    async def delete(self, user_id: UUID) -> None:
        """Deletes the user and ends their sessions. Raises NotFoundError, ConflictError for the last administrator."""
        await self._keep_an_admin_besides(user_id)
        if not await self.users.delete(user_id):
            raise NotFoundError
        await self.refresh_tokens.revoke_all(user_id)

    async def change_password(self, user: User, session_id: UUID, data: PasswordChange) -> None:
        """Sets a new password, and ends all other sessions. Raises ForbiddenError if the current password is wrong."""
        if not await verify_password(data.current_password, user.password_hash):
            raise ForbiddenError("The current password is wrong.")
        await self.users.update(user.id, password_hash=await hash_password(data.new_password))
        await self.refresh_tokens.revoke_all(user.id, but=session_id)
        await self.events.password_changed(user)

    async def reset_password(self, user_id: UUID, data: PasswordReset) -> None:
        """Sets a new password, and ends every session of the user. Raises NotFoundError."""
        user = found(await self.users.update(user_id, password_hash=await hash_password(data.new_password)))
        await self.refresh_tokens.revoke_all(user_id)
        await self.events.password_changed(user)

    async def _keep_an_admin_besides(self, user_id: UUID) -> None:
        if await self.users.lock_admins() == [user_id]:
            raise ConflictError("The last active administrator cannot be removed.")
