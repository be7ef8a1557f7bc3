from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.deps import SessionDep
from app.domain.schemas.common import MessageResponse, Page
from app.domain.schemas.user import UserCreate, UserListQuery, UserResponse, UserUpdate
from app.repository.user_repository import UserRepository
from app.service.user_service import UserService

router = APIRouter(prefix="/users", tags=["users"])


async def get_user_service(session: SessionDep) -> UserService:
    return UserService(UserRepository(session))


UserServiceDep = Annotated[UserService, Depends(get_user_service)]


@router.get("")
async def list_users(query: Annotated[UserListQuery, Query()], service: UserServiceDep) -> Page[UserResponse]:
    return Page[UserResponse].model_validate(await service.list(query))


@router.post("", status_code=201)
async def create_user(data: UserCreate, service: UserServiceDep, request: Request, response: Response) -> UserResponse:
    user = await service.create(data)
    response.headers["Location"] = request.url_for("get_user", user_id=user.id).path
    return UserResponse.model_validate(user)


@router.get("/{user_id}")
async def get_user(user_id: UUID, service: UserServiceDep) -> UserResponse:
    return UserResponse.model_validate(await service.get(user_id))


@router.patch("/{user_id}")
async def update_user(user_id: UUID, data: UserUpdate, service: UserServiceDep) -> UserResponse:
    return UserResponse.model_validate(await service.update(user_id, data))


@router.delete("/{user_id}")
async def delete_user(user_id: UUID, service: UserServiceDep) -> MessageResponse:
    await service.delete(user_id)
    return MessageResponse(message="User deleted successfully")
