from uuid import uuid4

import pytest

from app.core.exceptions import ConflictError, NotFoundError
from app.domain.models.user import Role
from app.domain.schemas.user import UserCreate, UserListQuery, UserUpdate
from app.service.user_service import UserService
from tests.factories.user_factory import NAME
from tests.unit.fakes import FakeRefreshTokenRepository, FakeUserRepository


@pytest.fixture
def service() -> UserService:
    return UserService(FakeUserRepository(), FakeRefreshTokenRepository())


async def test_a_new_user_can_be_read_and_is_listed(service: UserService, new_user: UserCreate) -> None:
    user = await service.create(new_user)

    assert await service.get(user.id) is user
    assert (await service.list(UserListQuery())).items == [user]


async def test_the_password_is_kept_only_as_argon2id(service: UserService, new_user: UserCreate) -> None:
    user = await service.create(new_user)

    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert new_user.password not in vars(user).values()


async def test_an_update_writes_only_what_was_sent(service: UserService, new_user: UserCreate) -> None:
    user = await service.create(new_user)

    await service.update(user.id, UserUpdate(role=Role.MODERATOR))

    assert (user.role, user.email) == (Role.MODERATOR, new_user.email)


async def test_a_deleted_user_is_not_found(service: UserService, new_user: UserCreate) -> None:
    user = await service.create(new_user)

    await service.delete(user.id)

    with pytest.raises(NotFoundError):
        await service.get(user.id)


async def test_what_does_not_exist_is_not_found(service: UserService) -> None:
    with pytest.raises(NotFoundError):
        await service.get(uuid4())
    with pytest.raises(NotFoundError):
        await service.update(uuid4(), UserUpdate(is_active=False))
    with pytest.raises(NotFoundError):
        await service.delete(uuid4())


async def test_the_last_administrator_stays(service: UserService, new_user: UserCreate) -> None:
    last = await service.create(new_user.model_copy(update={"role": Role.ADMIN}))

    with pytest.raises(ConflictError):
        await service.update(last.id, UserUpdate(role=Role.USER))
    with pytest.raises(ConflictError):
        await service.update(last.id, UserUpdate(is_active=False))
    with pytest.raises(ConflictError):
        await service.delete(last.id)

    await service.update(last.id, UserUpdate.model_validate({NAME: "Still here"}))
    await service.create(new_user.model_copy(update={"role": Role.ADMIN}))
    await service.delete(last.id)
