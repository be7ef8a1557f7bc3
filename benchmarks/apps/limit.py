"""The upper limit for Python: Starlette, handwritten SQL on asyncpg, JSON from the rows. Nobody would maintain it."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import jwt
import orjson
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KEY = os.environ["JWT_SECRET_KEY"].split(",")[0]
NAME = "backend"

ARTICLE = "id, title, body, views, published_at, created_at, updated_at"
GET = f"SELECT {ARTICLE} FROM articles WHERE id = $1 AND deleted_at IS NULL"  # noqa: S608
LIST = f"""
SELECT {ARTICLE}, (SELECT count(*) FROM articles WHERE deleted_at IS NULL AND title ILIKE $1) AS total
FROM articles WHERE deleted_at IS NULL AND title ILIKE $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
"""  # noqa: S608 (columns only, no value)
LIST_ALL = LIST.replace(" AND title ILIKE $1", "").replace("$2", "$1").replace("$3", "$2")
LIST_FROM = LIST.replace("title ILIKE $1", "views >= $1")
LIST_AFTER = f"""
SELECT {ARTICLE} FROM articles WHERE deleted_at IS NULL AND (created_at, id) < ($1, $2)
ORDER BY created_at DESC, id DESC LIMIT $3
"""  # noqa: S608 (columns only, no value)
INSERT = f"""
INSERT INTO articles (id, title, body, views, published_at) VALUES ($1, $2, $3, $4, $5) RETURNING {ARTICLE}
"""  # noqa: S608 (columns only, no value)
UPDATE = f"""
UPDATE articles SET title = $2, updated_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING {ARTICLE}
"""  # noqa: S608 (columns only, no value)
GET_USER = """
SELECT id, email, full_name, role, is_active, created_at, updated_at FROM users
WHERE id = $1 AND is_active AND deleted_at IS NULL
"""
GET_HASH = "SELECT id, password_hash FROM users WHERE email = $1 AND is_active AND deleted_at IS NULL"
INSERT_REFRESH = """
INSERT INTO refresh_tokens (id, session_id, user_id, token_hash, expires_at) VALUES ($1, $2, $3, $4, $5)
"""

hasher = PasswordHash([Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)])


class ArticleUpdate(BaseModel):
    """The body of a request that changes an article: this app changes its title only."""

    title: str = Field(max_length=200)


class ArticleCreate(BaseModel):
    """The body of a request that creates an article."""

    title: str = Field(max_length=200)
    body: str
    views: int
    published_at: datetime | None = None


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keeps a pool of 20 connections open as long as the app runs."""
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=20, max_size=20) as pool:
        app.state.pool = pool
        yield


def json_response(data: object, status: int = 200) -> Response:
    """Returns a response with the data as JSON, and with UTC as `Z`."""
    return Response(orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z), status, media_type="application/json")


async def current_user(request: Request) -> dict[str, Any]:
    """Returns the user whose token was sent. Raises a 401 if the token or the user is not valid."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"], audience=NAME, issuer=NAME)
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    user = await request.app.state.pool.fetchrow(GET_USER, UUID(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return dict(user)


async def health(_: Request) -> Response:
    """Responds without asking the database."""
    return json_response({"status": "healthy"})


async def login(request: Request) -> Response:
    """Returns tokens for an e-mail address and a password. Raises a 401 if either is wrong."""
    form = await request.form()
    pool = request.app.state.pool
    user = await pool.fetchrow(GET_HASH, form["username"])
    if user is None or not await run_in_threadpool(hasher.verify, str(form["password"]), user["password_hash"]):
        raise HTTPException(401)
    now = datetime.now(UTC)
    claims = {"sub": str(user["id"]), "aud": NAME, "iss": NAME, "iat": now, "exp": now + timedelta(minutes=15)}
    token = secrets.token_urlsafe(32)
    digest = sha256(token.encode()).hexdigest()
    await pool.execute(INSERT_REFRESH, uuid4(), uuid4(), user["id"], digest, now + timedelta(days=30))
    return json_response(
        {"access_token": jwt.encode(claims, KEY, "HS256"), "refresh_token": token, "token_type": "bearer"}
    )


async def get_me(request: Request) -> Response:
    """Returns the user whose token was sent."""
    return json_response(await current_user(request))


async def list_articles(request: Request) -> Response:
    """Returns a page of articles, the newest first. With a cursor, it counts nothing."""
    asked = request.query_params
    page, limit = int(asked.get("page", 1)), int(asked.get("limit", 20))
    pool, window = request.app.state.pool, (limit + 1, (page - 1) * limit)
    if after := asked.get("after"):
        created_at, _, article_id = after.partition("~")
        rows = await pool.fetch(LIST_AFTER, datetime.fromisoformat(created_at), UUID(article_id), limit + 1)
    elif search := asked.get("search"):
        rows = await pool.fetch(LIST, f"%{search}%", *window)
    elif views := asked.get("views__gte"):
        rows = await pool.fetch(LIST_FROM, int(views), *window)
    else:
        rows = await pool.fetch(LIST_ALL, *window)
    items = [dict(row) for row in rows]
    totals = [item.pop("total", None) for item in items]
    total = None if after else totals[0] if totals else 0
    last = items[limit - 1] if len(items) > limit else None
    return json_response(
        {
            "items": items[:limit],
            "total": total,
            "page": None if after else page,
            "limit": limit,
            "total_pages": None if total is None else -(-total // limit),
            "next": last and f"{last['created_at'].isoformat()}~{last['id']}",
        },
    )


async def create_article(request: Request) -> Response:
    """Creates an article, and sends no message on either path. Raises a 422 if the body is not valid."""
    await current_user(request)
    try:
        data = ArticleCreate.model_validate_json(await request.body())
    except ValidationError:
        raise HTTPException(422) from None
    values = (uuid4(), data.title, data.body, data.views, data.published_at)
    return json_response(dict(await request.app.state.pool.fetchrow(INSERT, *values)), 201)


async def update_article(request: Request) -> Response:
    """Writes the title. Raises a 422 if the body is not valid, and a 404 if there is no such article."""
    await current_user(request)
    try:
        data = ArticleUpdate.model_validate_json(await request.body())
    except ValidationError:
        raise HTTPException(422) from None
    row = await request.app.state.pool.fetchrow(UPDATE, request.path_params["article_id"], data.title)
    if row is None:
        raise HTTPException(404)
    return json_response(dict(row))


async def get_article(request: Request) -> Response:
    """Returns an article. Raises a 404 if there is none, or if it is deleted."""
    row = await request.app.state.pool.fetchrow(GET, request.path_params["article_id"])
    if row is None:
        raise HTTPException(404)
    return json_response(dict(row))


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/api/v1/health", health),
        Route("/api/v1/auth/login", login, methods=["POST"]),
        Route("/api/v1/users/me", get_me),
        Route("/api/v1/articles", list_articles),
        Route("/api/v1/articles", create_article, methods=["POST"]),
        Route("/api/v1/articles-with-message", create_article, methods=["POST"]),
        Route("/api/v1/articles/{article_id:uuid}", get_article),
        Route("/api/v1/articles/{article_id:uuid}", update_article, methods=["PATCH"]),
    ],
)
