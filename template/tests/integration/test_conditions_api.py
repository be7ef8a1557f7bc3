"""With ETags, clients overwrite no version that they have not seen, and do not download again what they have."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.domain.models.user import User
from tests.api import ME, PREFIX, USERS
from tests.errors import assert_error, wrong_fields
from tests.factories.user_factory import NAME, user_fields

CHANGE = {NAME: "Grace Hopper"}


@pytest.fixture
async def created(admin: AsyncClient) -> Response:
    response = await admin.post(USERS, json=user_fields())
    assert response.status_code == 201, response.text
    return response


@pytest.fixture
def path(created: Response) -> str:
    return f"{USERS}/{created.json()['id']}"


@pytest.fixture
def demanding(app: FastAPI, settings: Settings) -> None:
    app.state.settings = settings.model_copy(update={"REQUIRE_IF_MATCH": True})


def if_match(*tags: str) -> list[tuple[str, str]]:
    return [("If-Match", tag) for tag in tags]


class TestETag:
    async def test_is_the_version_and_changes_with_it(self, admin: AsyncClient, created: Response, path: str) -> None:
        changed = await admin.patch(path, json=CHANGE)

        assert created.headers["ETag"] == '"1"'
        assert changed.headers["ETag"] == '"2"'
        assert (await admin.get(path)).headers["ETag"] == '"2"'

    async def test_stays_where_nothing_changes(self, admin: AsyncClient, path: str) -> None:
        assert (await admin.patch(path, json={})).headers["ETag"] == '"1"'

    async def test_is_one_for_oneself_and_for_others(self, admin: AsyncClient) -> None:
        me = await admin.get(ME)

        other = await admin.get(f"{USERS}/{me.json()['id']}")
        changed = await admin.patch(ME, json=CHANGE)

        assert me.headers["ETag"] == other.headers["ETag"]
        assert changed.headers["ETag"] != me.headers["ETag"]

    async def test_a_list_has_none(self, admin: AsyncClient) -> None:
        assert "ETag" not in (await admin.get(USERS)).headers


class TestIfNoneMatch:
    @pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"0", "1"', ',W/"x",\t"1" ,', '"a,b","1"', "*"])
    async def test_what_the_client_has_is_not_sent_again(self, admin: AsyncClient, path: str, tags: str) -> None:
        full = await admin.get(path)

        response = await admin.get(path, headers={"If-None-Match": tags})

        assert (response.status_code, response.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert response.headers[name] == full.headers[name]
        assert "Content-Type" not in response.headers
        assert "Content-Length" not in response.headers
        assert "X-Request-ID" in response.headers

    @pytest.mark.parametrize("tags", ['"2"', "1", "", '""', 'w/"1"', '"1', '"1"2', "'1'"])
    async def test_anything_else_is_sent(self, admin: AsyncClient, path: str, tags: str) -> None:
        response = await admin.get(path, headers={"If-None-Match": tags})

        assert response.status_code == 200
        assert response.json()

    async def test_several_headers_are_one_list(self, admin: AsyncClient, path: str) -> None:
        headers = [("If-None-Match", '"7"'), ("If-None-Match", '"1"')]

        assert (await admin.get(path, headers=headers)).status_code == 304

    async def test_head_is_as_get(self, admin: AsyncClient, path: str) -> None:
        assert (await admin.head(path, headers={"If-None-Match": '"1"'})).status_code == 304

    async def test_another_origin_reads_the_same_headers(self, admin: AsyncClient, path: str) -> None:
        origin = {"Origin": "https://app.example.com"}

        full = await admin.get(path, headers=origin)
        response = await admin.get(path, headers=origin | {"If-None-Match": '"1"'})

        assert response.status_code == 304
        assert response.headers["Vary"] == full.headers["Vary"]
        assert "ETag" in response.headers["Access-Control-Expose-Headers"]

    async def test_what_may_not_be_seen_is_not_confirmed(self, admin: AsyncClient, client: AsyncClient) -> None:
        assert (await client.get(ME, headers={"If-None-Match": '"1"'})).status_code == 401
        assert (await admin.get(f"{USERS}/{uuid4()}", headers={"If-None-Match": '"1"'})).status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
class TestIfMatch:
    async def change(self, client: AsyncClient, method: str, path: str, **options: Any) -> Response:
        body = CHANGE if method == "PATCH" else None
        return await client.request(method, path, json=body, **options)

    @pytest.mark.parametrize("tags", ['"1"', "*", '"0", "1"', 'W/"1", "1"'])
    async def test_the_version_that_was_read_is_changed(
        self, admin: AsyncClient, path: str, method: str, tags: str
    ) -> None:
        assert (await self.change(admin, method, path, headers=if_match(tags))).status_code == 200

    @pytest.mark.parametrize("tags", ['"1"', 'W/"2"', "2", "", '"2', '"22"', '"*"', "'2'"])
    async def test_any_other_is_left_alone(self, admin: AsyncClient, path: str, method: str, tags: str) -> None:
        before = await admin.patch(path, json={NAME: "Ada King"})

        response = await self.change(admin, method, path, headers=if_match(tags))

        assert_error(response, 412)
        assert (await admin.get(path)).json() == before.json()

    async def test_several_headers_are_one_list(self, admin: AsyncClient, path: str, method: str) -> None:
        assert (await self.change(admin, method, path, headers=if_match('"7"', '"1"'))).status_code == 200

    @pytest.mark.parametrize("tags", ["*", '"1"'])
    async def test_nothing_is_404_whatever_its_version(self, admin: AsyncClient, method: str, tags: str) -> None:
        assert (await self.change(admin, method, f"{USERS}/{uuid4()}", headers=if_match(tags))).status_code == 404

    @pytest.mark.usefixtures("demanding")
    async def test_it_is_asked_for_where_it_must_be(
        self, admin: AsyncClient, client: AsyncClient, path: str, method: str
    ) -> None:
        assert_error(await self.change(admin, method, path), 428)
        assert (await self.change(client, method, path)).status_code == 401
        assert (await self.change(admin, method, path, headers=if_match('"1"'))).status_code == 200


async def test_a_change_of_nothing_is_refused_as_well(admin: AsyncClient, path: str) -> None:
    assert_error(await admin.patch(path, json={}, headers=if_match('"2"')), 412)


async def test_one_may_change_oneself_as_one_was(admin: AsyncClient) -> None:
    tag = (await admin.get(ME)).headers["ETag"]

    assert (await admin.patch(ME, json=CHANGE, headers=if_match(tag))).status_code == 200
    assert_error(await admin.patch(ME, json=CHANGE, headers=if_match(tag)), 412)


async def test_a_refusal_by_a_rule_comes_first(admin: AsyncClient) -> None:
    myself = f"{USERS}/{(await admin.get(ME)).json()['id']}"

    assert_error(await admin.delete(myself, headers=if_match('"7"')), 409)


async def test_a_refused_change_leaves_nothing_behind(admin: AsyncClient, path: str, session: AsyncSession) -> None:
    assert_error(await admin.patch(path, json={"is_active": False}, headers=if_match('"7"')), 412)

    user = await session.get_one(User, UUID(path.rpartition("/")[2]))
    assert (user.is_active, user.version) == (True, 1)


async def test_a_patch_may_be_called_a_merge_patch(admin: AsyncClient, path: str) -> None:
    headers = {"Content-Type": "application/merge-patch+json; charset=utf-8"}

    changed = await admin.patch(path, content=b'{"%s": "Grace"}' % NAME.encode(), headers=headers)
    refused = await admin.patch(path, content=b'{"%s": null}' % NAME.encode(), headers=headers)

    assert changed.json()[NAME] == "Grace"
    assert wrong_fields(refused) == [NAME]


def test_the_documentation_names_the_headers(app: FastAPI) -> None:
    app.openapi()  # the document must be the same the second time
    one = app.openapi()["paths"][f"{PREFIX}{USERS}/" + "{user_id}"]

    assert {parameter["name"] for parameter in one["get"]["parameters"]} == {"user_id", "If-None-Match"}
    assert {parameter["name"] for parameter in one["patch"]["parameters"]} == {"user_id", "If-Match"}
    assert {"200", "304"} <= one["get"]["responses"].keys()
    assert "412" in one["delete"]["responses"]
    assert one["get"]["responses"]["200"]["headers"].keys() == {"ETag"}
    assert one["patch"]["requestBody"]["content"].keys() == {"application/json", "application/merge-patch+json"}
