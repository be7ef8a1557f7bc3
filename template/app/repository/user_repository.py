from app.domain.models.user import User
from app.repository.base import Repository


class UserRepository(Repository[User]):
    model = User
    sortable = {
        "created_at": User.created_at,
        "updated_at": User.updated_at,
        "email": User.email,
        "full_name": User.full_name,
    }
    searchable = (User.email, User.full_name)
