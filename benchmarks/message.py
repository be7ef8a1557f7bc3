"""Adds a route to the backend that creates an article and puts a message about it into the outbox."""

from pathlib import Path

FILES = {
    "app/handlers/article_created.py": """from uuid import UUID

from app.domain.messages import Message
from app.service.handlers import Delivery, handles


class ArticleCreated(Message):
    article_id: UUID


@handles(ArticleCreated)
async def do_nothing(message: ArticleCreated, delivery: Delivery) -> None: ...
""",
    "app/api/v1/article_message_router.py": '''from fastapi import APIRouter

from app.api.creation import CreationDep
from app.api.deps import SessionDep
from app.api.v1.article_router import SIGNED_IN, ArticleServiceDep
from app.domain.schemas.article import ArticleCreate, ArticleResponse
from app.handlers.article_created import ArticleCreated
from app.repository.outbox_repository import put_message

router = APIRouter(prefix="/articles-with-message")


@router.post("", status_code=201, dependencies=SIGNED_IN)
async def create_article(
    data: ArticleCreate, service: ArticleServiceDep, session: SessionDep, creation: CreationDep
) -> ArticleResponse:
    """Creates a new article, and has something done about it once that is committed."""
    created = await service.create(data)
    await put_message(session, ArticleCreated(article_id=created.id))
    return await creation.respond(created, ArticleResponse)
''',
}


def add_message(backend: Path) -> None:
    """Writes the message, its handler and the route into the backend in this folder."""
    for file, text in FILES.items():
        (backend / file).write_text(text, encoding="utf-8")
