"""What may be missing from an answer, or be more than expected."""

from typing import Any

import pytest

from exporter.api import errors
from exporter.api.types import Environment, EnvironmentPage, QueueStats, WorkItem, WorkPage
from tests.api.harness import ENVIRONMENT, TOKEN, WORK, item, page, read

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


@pytest.mark.parametrize("field", ["id", "state"])
@pytest.mark.parametrize("value", ["missing", None, 7, {}])
def test_an_item_without_an_id_or_a_state_is_an_invalid_answer(field: str, value: object) -> None:
    body = item(**{field: value})
    if value == "missing":
        del body[field]
    with pytest.raises(errors.InvalidResponse, match=rf"`\$.data\[1\](\.{field})?`|`{field}` - at `\$.data\[1\]`"):
        read(page(item(), item()) | {"data": [item(), body]}, WorkPage)


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


def test_metadata_that_is_no_object_is_an_invalid_answer() -> None:
    with pytest.raises(errors.InvalidResponse, match=r"`\$.metadata`"):
        one(metadata=["job"])


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


@pytest.mark.parametrize("data", [None, {}, "", [None], [[]], [1]])
def test_a_page_without_a_list_of_items_is_an_invalid_answer(data: object) -> None:
    with pytest.raises(errors.InvalidResponse, match=r"`\$\.data"):
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
