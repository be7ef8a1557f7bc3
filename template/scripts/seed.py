"""Creates the first administrator from FIRST_ADMIN_EMAIL and FIRST_ADMIN_PASSWORD. Safe to run again."""

import sys

from pydantic import ValidationError

from app.core.config import Settings, get_settings
from app.domain.models.user import Role
from app.domain.schemas.user import UserCreate
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from app.service.user_service import UserService
from scripts.database import patient_database, say


def first_admin(settings: Settings) -> UserCreate:
    """Returns the administrator of the settings. Raises SystemExit with a sentence if they do not describe a user."""
    if settings.FIRST_ADMIN_EMAIL is None or settings.FIRST_ADMIN_PASSWORD is None:
        sys.exit("Nothing to seed: set FIRST_ADMIN_EMAIL and FIRST_ADMIN_PASSWORD, in the environment or in .env.")
    try:
        return UserCreate(
            email=settings.FIRST_ADMIN_EMAIL,
            password=settings.FIRST_ADMIN_PASSWORD.get_secret_value(),
            full_name="Administrator",
            role=Role.ADMIN,
        )
    except ValidationError as error:
        faults = [f"FIRST_ADMIN_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        sys.exit("The first administrator is not valid. " + "; ".join(faults))


async def seed(settings: Settings) -> str:
    """Returns a sentence that says what was done."""
    admin = first_admin(settings)
    database = patient_database(settings)
    try:
        async with database.transaction() as session:
            users = UserRepository(session)
            if await users.get_by_email(admin.email):
                return f"{admin.email} exists already; nothing was changed."
            await UserService(users, RefreshTokenRepository(session)).create(admin)
        return f"Created the administrator {admin.email}."
    finally:
        await database.close()


if __name__ == "__main__":
    say(seed(get_settings()))
