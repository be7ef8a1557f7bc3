from typing import Annotated

from fastapi import APIRouter, Depends

from app.api.deps import (
    AccountEventsDep,
    AttemptDep,
    ClientDep,
    CurrentUser,
    ProvidersDep,
    RefreshTokenRepositoryDep,
    SettingsDep,
    UserRepositoryDep,
)
from app.api.errors import BODY, errors
from app.api.v1.auth_router import router as auth
from app.api.v1.user_router import router as users
from app.integrations.mail.account_service import AccountService
from app.integrations.mail.limits import MailLimiter
from app.integrations.mail.links import Links
from app.integrations.mail.schemas import EmailChange, ForgottenPassword, LinkedPassword, LinkedToken

router = APIRouter(tags=["accounts"], responses=errors(503))


async def get_mail_limiter(settings: SettingsDep, providers: ProvidersDep) -> MailLimiter:
    """Returns the limiter of e-mails, which counts where the others do."""
    return MailLimiter(settings, providers.counts)


MailLimiterDep = Annotated[MailLimiter, Depends(get_mail_limiter)]


async def count_mail(limiter: MailLimiterDep, client: ClientDep) -> None:
    """Raises TooManyRequestsError if this client has asked for too many e-mails."""
    await limiter.count(client)


async def get_account_service(
    users: UserRepositoryDep,
    refresh_tokens: RefreshTokenRepositoryDep,
    events: AccountEventsDep,
    settings: SettingsDep,
    limiter: MailLimiterDep,
) -> AccountService:
    """Returns the service on the session of the request."""
    return AccountService(users, refresh_tokens, events, Links(settings), limiter)


AccountServiceDep = Annotated[AccountService, Depends(get_account_service)]


@router.post(
    f"{auth.prefix}/forgot-password",
    status_code=202,
    dependencies=[Depends(count_mail)],
    responses=errors(*BODY, 429),
)
async def forgot_password(data: ForgottenPassword, service: AccountServiceDep) -> None:
    """Sends a password reset link to this address.

    The response is the same whether or not a user has this address. E-mails are limited per client and address.
    """
    await service.forgot_password(data.email)


@router.post(f"{auth.prefix}/reset-password", status_code=204, responses=errors(*BODY, 401))
async def reset_password(data: LinkedPassword, service: AccountServiceDep) -> None:
    """Sets a new password with the token of a link, from a password reset or an invitation.

    All sessions of the user end. The token works once, and its address counts as verified from then on.
    """
    await service.reset_password(data)


@router.post(f"{auth.prefix}/verify-email", status_code=204, responses=errors(*BODY, 401))
async def verify_email(data: LinkedToken, service: AccountServiceDep) -> None:
    """Verifies the address that the link was sent to. The token works once."""
    await service.verify_email(data.token)


@router.post(f"{auth.prefix}/confirm-email", status_code=204, responses=errors(*BODY, 401, 409))
async def confirm_email(data: LinkedToken, service: AccountServiceDep) -> None:
    """Replaces the address of the user with the one that the link was sent to, and notifies the old one.

    The token works once.

    This responds with 409 if somebody has taken the address meanwhile.
    """
    await service.confirm_email(data.token)


@router.post(
    f"{users.prefix}/me/verify-email",
    status_code=202,
    dependencies=[Depends(count_mail)],
    responses=errors(401, 429),
)
async def send_verification(current_user: CurrentUser, service: AccountServiceDep) -> None:
    """Sends another link to the address of the user, unless it is verified already."""
    await service.send_verification(current_user)


@router.post(
    f"{users.prefix}/me/email",
    status_code=202,
    dependencies=[Depends(count_mail)],
    responses=errors(*BODY, 401, 403, 429),
)
async def change_email(
    data: EmailChange, current_user: CurrentUser, service: AccountServiceDep, attempt: AttemptDep
) -> None:
    """Sends a link to the new address, which becomes the user's once it is confirmed.

    The current password is needed; failed attempts are limited like failed sign-ins. The response does not
    reveal whether a user already has the address.
    """
    async with attempt:
        await service.change_email(current_user, data)
