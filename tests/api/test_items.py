"""What may be missing from an answer, or be more than expected."""

from typing import Any

import msgspec
import pytest
import respx

from exporter.api import errors
from exporter.api.decoding import with_whole_characters
from exporter.api.types import Environment, EnvironmentPage, QueueStats, WorkItem, WorkPage
from tests.api.harness import BASE_URL, ENVIRONMENT, TOKEN, WORK, at_once, client, item, page, read

OPTIONAL = sorted(set(item()) - {"id", "state"})


def one(**changes: object) -> WorkItem:
    return read(item(**changes), WorkItem)


def pages(body: dict[str, Any]) -> WorkPage:
    return read(body, WorkPage)


def environment(**changes: object) -> Environment:
    body = {"id": ENVIRONMENT, "name": "gpu-workers", "config": {"type": "self_hosted"}, "archived_at": None}
    return read(body | changes, Environment)


def environments(**envelope: object) -> EnvironmentPage:
    return read({"data": [], **envelope}, EnvironmentPage)


@pytest.mark.parametrize("state", ["queued", "starting", "active", "stopping", "stopped", "paused", "", "状态", "a\nb"])
def test_any_state_is_taken_as_it_is(state: str) -> None:
    assert one(state=state).state == state


@pytest.mark.parametrize("field", OPTIONAL)
def test_an_item_may_lack_a_field(field: str) -> None:
    body = item()
    del body[field]
    found = read(body, WorkItem)
    assert (found.id, found.state) == (WORK, "active")


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_field_of_an_item_may_be_null(field: str) -> None:
    found = one(**{field: None})
    assert (found.id, found.state) == (WORK, "active")


@pytest.mark.parametrize("value", ["missing", None, 7, {}, "x" * 65])
def test_an_item_without_a_usable_state_is_in_another(value: object) -> None:
    body = item(state=value)
    if value == "missing":
        del body["state"]
    found = read(page(body, item()), WorkPage).data
    assert found == [msgspec.structs.replace(one(), state="other", unreadable=True), one()]


@pytest.mark.parametrize("value", ["missing", None, 7, {}, "", "x" * 257, "work_\ud83d"])
def test_an_item_without_a_usable_id_is_counted_and_hides_nothing(value: object) -> None:
    body = item(id=value)
    if value == "missing":
        del body["id"]
    found = read({"data": [body, item(), None, [], 1]}, WorkPage)
    assert (found.data, found.without_id) == ([one()], (None, WORK, WORK, WORK))
    with pytest.raises(errors.InvalidResponse, match=r"no item has an ID - at `\$\.data`"):
        read({"data": [body]}, WorkPage)
    if value != "work_\ud83d":  # whoever asked for one item by its ID compares it
        with pytest.raises(errors.InvalidResponse):
            read(body, WorkItem)


@pytest.mark.parametrize("where", ["metadata", "state", "data", "secret", "extra"])
def test_half_an_emoji_hides_nothing(where: str) -> None:
    values: dict[str, tuple[object, object]] = {
        "metadata": ({"job": "a\ud83d", "\udc00": "b"}, {"job": "a\ufffd", "\ufffd": "b"}),
        "state": ("active\ud83d", "active\ufffd"),
        "data": ({"type": "session", "id": "\udfff"}, {"type": "session", "id": "\ufffd"}),
        "secret": ("\ud83d", ""),
        "extra": ("\ud83d\ud83d", ""),
    }
    odd, replaced = values[where]
    found = read(page(item(**{where: odd}), item()), WorkPage)
    assert found.data == [one(**{where: replaced}), one()]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (rb"\ud83d", rb"\ufffd"),
        (rb"\ud83d\ude00", rb"\ud83d\ude00"),
        (rb"\uD83D\uDE00\uDE00", rb"\uD83D\uDE00\ufffd"),
        (rb"\\ud83d", rb"\\ud83d"),
        (rb"\\\ud83d", rb"\\\ufffd"),
        (rb"\n\"\u0041", rb"\n\"\u0041"),
        (b"\xff", "\ufffd".encode()),
        ("\U0001f600".encode(), "\U0001f600".encode()),
    ],
)
def test_only_halves_of_characters_are_replaced(text: bytes, whole: bytes) -> None:
    assert with_whole_characters(text) == whole


def test_a_page_of_more_records_than_anybody_asked_for_is_refused() -> None:
    with pytest.raises(errors.InvalidResponse, match="1001 records in one page"):
        read({"data": [item() for _ in range(1000)] + [None]}, WorkPage)


@pytest.mark.parametrize("name", [7, [], {}, "x" * 257])
def test_an_environment_with_an_unusable_name_has_none(name: object) -> None:
    found = read({"data": [{"id": "env_a", "name": name, "config": {"type": "self_hosted"}}]}, EnvironmentPage)
    assert [(each.id, each.name, each.self_hosted) for each in found.data] == [("env_a", None, True)]


def test_half_an_emoji_in_one_name_hides_no_environment() -> None:
    found = read({"data": [{"id": "env_a", "name": "\ud83d gpu"}, {"id": "env_b", "name": "b"}]}, EnvironmentPage)
    assert [(each.id, each.name) for each in found.data] == [("env_a", "\ufffd gpu"), ("env_b", "b")]


def test_an_environment_that_cannot_be_read_is_skipped_and_named() -> None:
    odd = [{"id": "env_a", "config": "text"}, {"name": "no ID"}, 7]
    found = read({"data": [*odd, {"id": "env_b"}], "has_more": True, "last_id": "env_b"}, EnvironmentPage)
    assert [each.id for each in found.data] == ["env_b"]
    assert found.skipped == ("env_a", "one without an ID", "one without an ID")
    assert found.cursor == "env_b"
    with pytest.raises(errors.InvalidResponse, match="no environment can be read"):
        read({"data": odd}, EnvironmentPage)


async def test_items_of_another_environment_are_an_invalid_answer(respx_mock: respx.MockRouter) -> None:
    respx_mock.get(f"{BASE_URL}/environments/env_other/work").respond(json=page(item()))
    respx_mock.get(f"{BASE_URL}/environments/env_other/work/{WORK}").respond(json=item())
    respx_mock.get(f"{BASE_URL}/environments/{ENVIRONMENT}/work").respond(json=page(item(), item(environment_id=None)))
    async with client() as api:
        with pytest.raises(errors.InvalidResponse, match="list: an item of another environment"):
            await api.list("env_other", deadline=at_once())
        with pytest.raises(errors.InvalidResponse, match="get: an item of another environment"):
            await api.get("env_other", WORK, deadline=at_once())
        assert len((await api.list(ENVIRONMENT, deadline=at_once())).value.data) == 2


def test_fields_of_a_later_api_do_no_harm() -> None:
    later = {"attempts": 3, "lease": {"ttl": [1, {"deep": True}]}, "größe": "ü"}
    assert one(**later) == one()
    assert pages(page(item(**later), total=1)) == pages(page(item()))


def test_a_secret_is_dropped_unread() -> None:
    for secret in ("wsk-a", None, {"key": TOKEN}, [TOKEN]):
        assert one(secret=secret) == one()


@pytest.mark.parametrize(
    "metadata",
    [{}, None, {"n": 1, "t": True, "none": None, "list": ["a"], "map": {"b": 2.5}, "": ""}, {"big": 10**400}],
)
def test_metadata_may_hold_what_it_should_not(metadata: dict[str, object] | None) -> None:
    assert one(metadata=metadata).metadata == metadata


@pytest.mark.parametrize("metadata", [["job"], "job", 7])
def test_metadata_that_is_no_object_is_none_and_the_item_readable(metadata: object) -> None:
    assert one(metadata=metadata) == one(metadata=None)


@pytest.mark.parametrize(
    ("data", "session_id"),
    [
        ({"type": "session", "id": "sess_1"}, "sess_1"),
        ({"type": "session", "id": None}, None),
        ({"type": "session"}, None),
        ({"type": "healthcheck", "id": "hc_1"}, None),
        ({"id": "sess_1"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_session_is_known_of_work_for_a_session(data: object, session_id: str | None) -> None:
    assert one(data=data).session_id == session_id


@pytest.mark.parametrize(
    ("envelope", "more"),
    [
        ({"has_more": True, "next_page": "work_1"}, True),
        ({"has_more": False, "next_page": None}, False),
        ({"has_more": True, "next_page": None}, True),
        ({"has_more": False, "next_page": "work_1"}, False),
        ({"has_more": None, "next_page": "work_1"}, True),
        ({"next_page": "work_1"}, True),
        ({"next_page": None}, False),
        ({"has_more": True}, True),
        ({}, False),
    ],
)
def test_a_page_tells_whether_items_follow(envelope: dict[str, object], more: bool) -> None:
    assert pages({"data": [item()], **envelope}).more is more


def test_a_page_may_be_empty() -> None:
    assert pages(page()).data == []


@pytest.mark.parametrize("data", [None, {}, "", [None], [[]], [1], 7])
def test_a_page_without_a_list_of_items_is_an_invalid_answer(data: object) -> None:
    with pytest.raises(errors.InvalidResponse, match=r"`\$\.data`"):
        pages({"data": data, "has_more": False})


@pytest.mark.parametrize(
    ("body", "stats"),
    [
        ({"type": "work_queue_stats", "depth": 3, "pending": 1, "workers_polling": 2}, (3, 1, 2)),
        ({"depth": None, "pending": None, "workers_polling": None}, (None, None, None)),
        ({"depth": 0}, (0, None, None)),
        ({}, (None, None, None)),
        ({"depth": 2**53, "rejected": 4}, (2**53, None, None)),
    ],
)
def test_statistics_may_be_missing(body: object, stats: tuple[int | None, ...]) -> None:
    found = read(body, QueueStats)
    assert (found.depth, found.pending, found.workers_polling) == stats


@pytest.mark.parametrize("depth", [-1, 1.5, "3", True, [], 2**53 + 1, 10**400])
def test_a_statistic_that_is_no_count_is_an_invalid_answer(depth: object) -> None:
    with pytest.raises(errors.InvalidResponse, match=r"`\$.depth`"):
        read({"depth": depth}, QueueStats)


@pytest.mark.parametrize(
    ("config", "self_hosted"),
    [
        ({"type": "self_hosted"}, True),
        ({"type": "self_hosted", "networking": {"type": "limited"}}, True),
        ({"type": "cloud"}, False),
        ({"type": "moon"}, False),
        ({"type": None}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_a_self_hosted_environment_has_a_queue(config: object, self_hosted: bool) -> None:
    assert environment(config=config).self_hosted is self_hosted


@pytest.mark.parametrize(
    ("changes", "archived"),
    [
        ({}, False),
        ({"archived_at": ""}, False),
        ({"archived_at": "2026-07-01T08:00:00Z"}, True),
        ({"archived": True}, True),
        ({"archived": False}, False),
        ({"status": "archived"}, True),
        ({"status": "ready"}, False),
        ({"status": None, "archived": None}, False),
    ],
)
def test_an_environment_is_archived_in_three_dialects(changes: dict[str, object], archived: bool) -> None:
    assert environment(**changes).is_archived is archived


@pytest.mark.parametrize(
    ("envelope", "cursor"),
    [
        ({"has_more": True, "next_page": "env_2", "last_id": "env_1"}, "env_2"),
        ({"has_more": True, "next_page": None, "last_id": "env_1"}, "env_1"),
        ({"has_more": True, "last_id": "env_1"}, "env_1"),
        ({"has_more": False, "next_page": "env_2"}, None),
        ({"next_page": "env_2"}, "env_2"),
        ({"last_id": "env_1"}, None),
        ({}, None),
    ],
)
def test_the_cursor_of_the_next_environments(envelope: dict[str, object], cursor: str | None) -> None:
    assert environments(**envelope).cursor == cursor
