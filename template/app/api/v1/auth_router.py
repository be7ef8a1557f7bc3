from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.security import OAuth2PasswordRequestForm

from app.api.deps import (
    AccessTokensDep,
    AttemptDep,
    ClientDep,
    RefreshTokenRepositoryDep,
    RegistrationLimiterDep,
    SettingsDep,
    UserRepositoryDep,
)
from app.api.errors import BODY, errors
from app.api.v1.user_router import UserServiceDep
from app.core.exceptions import ForbiddenError
from app.domain.schemas.auth import RefreshRequest, RegisterRequest, TokenResponse
from app.domain.schemas.user import UserCreate, UserResponse
from app.service.auth_service import AuthService

router = APIRouter(prefix="/auth", tags=["auth"], responses=errors(*BODY, 503))


async def get_auth_service(
    users: UserRepositoryDep,
    refresh_tokens: RefreshTokenRepositoryDep,
    access_tokens: AccessTokensDep,
    settings: SettingsDep,
) -> AuthService:
    return AuthService(users, refresh_tokens, access_tokens, timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS))


AuthServiceDep = Annotated[AuthService, Depends(get_auth_service)]


async def forbid_caching(response: Response) -> None:
    """Tokens must not be cached (RFC 6749, section 5.1)."""
    response.headers["Cache-Control"] = "no-store"


async def require_registration(settings: SettingsDep) -> None:
    if not settings.REGISTRATION_ENABLED:
        raise ForbiddenError("Registration is disabled.")


@router.post("/login", dependencies=[Depends(forbid_caching)], responses=errors(401, 429))
async def login(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], service: AuthServiceDep, attempt: AttemptDep
) -> TokenResponse:
    async with attempt:
        user = await service.authenticate(form.username, form.password)
    return await service.begin_session(user)


@router.post("/refresh", dependencies=[Depends(forbid_caching)], responses=errors(401))
async def refresh(data: RefreshRequest, service: AuthServiceDep) -> TokenResponse:
    return await service.refresh(data.refresh_token)


@router.post("/logout", status_code=204)
async def logout(data: RefreshRequest, service: AuthServiceDep) -> None:
    await service.logout(data.refresh_token)


@router.post(
    "/register", status_code=201, dependencies=[Depends(require_registration)], responses=errors(403, 409, 429)
)
async def register(
    data: RegisterRequest, service: UserServiceDep, limiter: RegistrationLimiterDep, client: ClientDep
) -> UserResponse:
    await limiter.count(client)
    return UserResponse.model_validate(await service.create(UserCreate(**data.model_dump())))
