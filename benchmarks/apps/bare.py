"""FastAPI and SQLAlchemy's ORM as their tutorials write them: no layers, no middleware, no log."""

import os
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated
from uuid import UUID, uuid4

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, DateTime, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

KEY = os.environ["JWT_SECRET_KEY"].split(",")[0]
NAME = "backend"

hasher = PasswordHash([Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)])
engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=20, max_overflow=0
)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The base of the models, whose times have a zone."""

    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class User(Base):
    """A user, as the backend stores it."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    full_name: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class RefreshToken(Base):
    """A refresh token, as the backend stores it: only by its hash."""

    __tablename__ = "refresh_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    token_hash: Mapped[str]
    expires_at: Mapped[datetime]


class Article(Base):
    """An article, as the backend stores it."""

    __tablename__ = "articles"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str]
    body: Mapped[str]
    views: Mapped[int]
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class Health(BaseModel):
    """The response of the health check."""

    status: str = "healthy"


class UserRead(BaseModel):
    """A user, as a response contains it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    full_name: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class ArticleCreate(BaseModel):
    """The body of a request that creates an article."""

    title: str = Field(max_length=200)
    body: str
    views: int
    published_at: datetime | None = None


class ArticleUpdate(BaseModel):
    """The body of a request that changes an article. Fields that are not sent stay as they are."""

    title: str | None = Field(default=None, max_length=200)
    body: str | None = None
    views: int | None = None
    published_at: datetime | None = None


class ArticleRead(ArticleCreate):
    """An article, as a response contains it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    updated_at: datetime


class ArticlePage(BaseModel):
    """A page of a list. `next` is the cursor of the next page, or null if this is the last one."""

    items: list[ArticleRead]
    total: int | None
    page: int | None
    limit: int
    total_pages: int | None
    next: str | None


class Token(BaseModel):
    """The tokens that a sign-in returns."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105


app = FastAPI()


async def get_session() -> AsyncIterator[AsyncSession]:
    """Yields the session of the request. The endpoint commits it."""
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]
TokenDep = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="/api/v1/auth/login"))]


async def get_current_user(session: SessionDep, token: TokenDep) -> User:
    """Returns the user whose token was sent. Raises a 401 if the token or the user is not valid."""
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience=NAME, issuer=NAME)
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    user = await session.get(User, UUID(claims["sub"]))
    if user is None or not user.is_active or user.deleted_at is not None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/api/v1/health")
async def health() -> Health:
    """Responds without asking the database."""
    return Health()


@app.post("/api/v1/auth/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], session: SessionDep) -> Token:
    """Returns tokens for an e-mail address and a password. Raises a 401 if either is wrong."""
    user = await session.scalar(select(User).where(User.email == form.username, User.deleted_at.is_(None)))
    if user is None or not await run_in_threadpool(hasher.verify, form.password, user.password_hash):
        raise HTTPException(401)
    now = datetime.now(UTC)
    claims = {"sub": str(user.id), "aud": NAME, "iss": NAME, "iat": now, "exp": now + timedelta(minutes=15)}
    refresh_token = secrets.token_urlsafe(32)
    session.add(
        RefreshToken(
            session_id=uuid4(),
            user_id=user.id,
            token_hash=sha256(refresh_token.encode()).hexdigest(),
            expires_at=now + timedelta(days=30),
        )
    )
    await session.commit()
    return Token(access_token=jwt.encode(claims, KEY, "HS256"), refresh_token=refresh_token)


@app.get("/api/v1/users/me", response_model=UserRead)
async def get_me(current_user: CurrentUser) -> User:
    """Returns the user whose token was sent."""
    return current_user


@app.get("/api/v1/articles", response_model=ArticlePage)
async def list_articles(  # noqa: PLR0917 (FastAPI passes them by name)
    session: SessionDep,
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    search: str | None = None,
    views__gte: int | None = None,
    after: str | None = None,
) -> dict[str, object]:
    """Returns a page of articles, the newest first. With a cursor, it counts nothing."""
    conditions: list[ColumnElement[bool]] = [Article.deleted_at.is_(None)]
    if search:
        conditions.append(Article.title.icontains(search, autoescape=True))
    if views__gte is not None:
        conditions.append(Article.views >= views__gte)
    statement = select(Article).where(*conditions).order_by(Article.created_at.desc(), Article.id.desc())
    total = None
    if after:
        created_at, _, article_id = after.partition("~")
        here = tuple_(literal(datetime.fromisoformat(created_at)), literal(UUID(article_id)))
        statement = statement.where(tuple_(Article.created_at, Article.id) < here)
    else:
        total = await session.scalar(select(func.count()).select_from(Article).where(*conditions)) or 0
        statement = statement.offset((page - 1) * limit)
    items = (await session.scalars(statement.limit(limit + 1))).all()
    last = items[limit - 1] if len(items) > limit else None
    return {
        "items": items[:limit],
        "total": total,
        "page": None if after else page,
        "limit": limit,
        "total_pages": None if total is None else -(-total // limit),
        "next": last and f"{last.created_at.isoformat()}~{last.id}",
    }


@app.post("/api/v1/articles-with-message", status_code=201, response_model=ArticleRead)
@app.post("/api/v1/articles", status_code=201, response_model=ArticleRead)
async def create_article(data: ArticleCreate, session: SessionDep, _: CurrentUser) -> Article:
    """Creates an article, and sends no message on either path."""
    article = Article(**data.model_dump())
    session.add(article)
    await session.commit()
    await session.refresh(article)
    return article


@app.get("/api/v1/articles/{article_id}", response_model=ArticleRead)
async def get_article(article_id: UUID, session: SessionDep) -> Article:
    """Returns an article. Raises a 404 if there is none, or if it is deleted."""
    article = await session.get(Article, article_id)
    if article is None or article.deleted_at is not None:
        raise HTTPException(404)
    return article


@app.patch("/api/v1/articles/{article_id}", response_model=ArticleRead)
async def update_article(article_id: UUID, data: ArticleUpdate, session: SessionDep, _: CurrentUser) -> Article:
    """Writes the fields that were sent. Raises a 404 if there is no such article."""
    article = await session.get(Article, article_id)
    if article is None or article.deleted_at is not None:
        raise HTTPException(404)
    for name, value in data.model_dump(exclude_unset=True).items():
        setattr(article, name, value)
    article.updated_at = datetime.now(UTC)
    await session.commit()
    await session.refresh(article)
    return article
