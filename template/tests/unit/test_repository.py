"""Checks the text of statements where their results alone would prove nothing."""

from app.domain.schemas.user import UserListQuery
from app.repository.user_repository import UserRepository
from tests.unit.fakes import FakeUserRepository


def test_every_order_ends_with_the_id_so_that_no_record_is_on_two_pages() -> None:
    for sort_order in ("asc", "desc"):
        order = UserRepository._order(FakeUserRepository(), UserListQuery(sort_by="email", sort_order=sort_order))

        assert [str(column) for column in order] == [
            f"users.email {sort_order.upper()}",
            f"users.id {sort_order.upper()}",
        ]


def test_every_key_to_sort_by_is_a_column_that_can_be_sorted() -> None:
    keys = UserListQuery.model_json_schema()["properties"]["sort_by"]["enum"]

    assert set(keys) == {column.key for column in UserRepository.sortable}
