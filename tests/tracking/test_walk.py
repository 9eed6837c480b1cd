"""A walk goes forward through the list without a gap, whatever the API makes of its cursors."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import httpx
import pytest

from exporter.api.errors import BadRequest, InvalidResponse, NotFound
from exporter.simulator import Garbage, Options, Status
from exporter.tracking.walk import CursorLostError, Page, Walk
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched
from tests.tracking.virtual_time import VirtualTime


def ids(pages: Sequence[Page]) -> list[str]:
    return [item.id for page in pages for item in page.items]


async def to_the_end(walk: Walk) -> list[Page]:
    pages: list[Page] = []
    while not (pages and pages[-1].end):
        pages.append(await walk.next())
    return pages


def listed(watched: Watched) -> list[str]:
    return watched.simulation.work_ids(watched.id)


def filled(watch: Watch, count: int = 250, options: Options | None = None, **kwargs: Any) -> Watched:
    watched = watch(options or Options(), **kwargs)
    watched.simulation.create_history(watched.id, count)
    return watched


def test_a_walk_shows_every_item_once_in_order(watch: Watch) -> None:
    watched = filled(watch)
    pages = watched.run(to_the_end(Walk(watched.source(), None)))
    assert ids(pages) == listed(watched)
    assert [len(page.items) for page in pages] == [100, 100, 50]


def test_a_walk_from_an_id_shows_what_follows_it(watch: Watch) -> None:
    watched = filled(watch)
    after = listed(watched)[119]
    assert ids(watched.run(to_the_end(Walk(watched.source(), after)))) == listed(watched)[120:]


@pytest.mark.parametrize("manner", ["not_found", "invalid", "empty", "restart"])
def test_the_next_best_cursor_leads_to_the_position(watch: Watch, manner: Any) -> None:
    watched = filled(watch, options=Options(unknown_cursor=manner))
    known = listed(watched)
    watched.simulation.forget_cursors(watched.id, known[119])
    walk = Walk(watched.source(), known[119], [known[119], known[60]])
    assert ids(watched.run(to_the_end(walk))) == known[120:]


@pytest.mark.parametrize("manner", ["not_found", "invalid", "empty"])
def test_a_position_that_no_cursor_leads_to_is_lost(watch: Watch, manner: Any) -> None:
    watched = filled(watch, options=Options(unknown_cursor=manner))
    known = listed(watched)
    watched.simulation.forget_cursors(watched.id, known[119], known[60])
    with pytest.raises(CursorLostError):
        watched.run(Walk(watched.source(), known[119], [known[119], known[60]]).next())


def test_an_api_that_begins_anew_is_followed_for_a_few_pages(watch: Watch) -> None:
    watched = filled(watch, 1000, Options(unknown_cursor="restart"))
    known = listed(watched)
    watched.simulation.forget_cursors(watched.id, known[250], known[450])
    assert ids([watched.run(Walk(watched.source(), known[250]).next())]) == known[251:300]
    with pytest.raises(CursorLostError):
        watched.run(Walk(watched.source(), known[450]).next())


def test_items_up_to_the_position_are_left_out_where_cursors_are_inclusive(watch: Watch) -> None:
    watched = filled(watch)
    known = listed(watched)
    inner = watched.transport.inner

    class Inclusive(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            cursor = request.url.params.get("after_id")
            if cursor is not None:
                before = known[known.index(cursor) - 1]
                request.url = request.url.copy_set_param("after_id", before)
            return await inner.handle_async_request(request)

    watched.transport.inner = Inclusive()
    pages = watched.run(to_the_end(Walk(watched.source(), None)))
    assert ids(pages) == known


def test_a_page_that_repeats_items_shows_each_once(watch: Watch) -> None:
    watched = filled(watch)
    watched.simulation.faults.add(Garbage(content="duplicates"))
    assert ids(watched.run(to_the_end(Walk(watched.source(), None)))) == listed(watched)


def test_items_in_descending_order_are_an_invalid_response(watch: Watch) -> None:
    watched = filled(watch)
    watched.simulation.faults.add(Garbage(content="descending"))
    with pytest.raises(InvalidResponse, match=r"out of order: work_\w+ comes after work_\w+"):
        watched.run(Walk(watched.source(), None).next())


@pytest.mark.parametrize("content", ["repeated_page", "stuck_cursor"])
def test_a_list_that_does_not_advance_is_an_invalid_response(watch: Watch, content: Any) -> None:
    watched = filled(watch)
    walk = Walk(watched.source(), None)
    first = watched.run(walk.next())
    watched.simulation.faults.add(Garbage(content="repeated_page"))
    with pytest.raises(InvalidResponse, match=f"does not go on after {first.items[-1].id}"):
        watched.run(walk.next())


@pytest.mark.parametrize("content", ["stuck_cursor", "no_cursor"])
def test_a_next_page_that_is_wrong_or_missing_is_not_needed(watch: Watch, content: Any) -> None:
    watched = filled(watch)
    walk = Walk(watched.source(), None)
    with watched.simulation.faults.during(Garbage(content=content)):
        pages = [watched.run(walk.next()), watched.run(walk.next())]
    pages.append(watched.run(walk.next()))
    assert ids(pages) == listed(watched)


@pytest.mark.parametrize("omitted", ["has_more", "next_page", "first_id", "last_id"])
def test_a_missing_field_of_the_envelope_does_not_matter(watch: Watch, omitted: Any) -> None:
    watched = filled(watch, options=Options(omit=frozenset({omitted})))
    assert ids(watched.run(to_the_end(Walk(watched.source(), None)))) == listed(watched)


def answering(watched: Watched, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let every page of the list pass through a function."""
    inner = watched.transport.inner

    class Changed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await inner.handle_async_request(request)
            return httpx.Response(response.status_code, json=change(json.loads(await response.aread())))

    watched.transport.inner = Changed()


def test_an_empty_page_with_more_to_come_is_an_invalid_response(watch: Watch) -> None:
    watched = filled(watch)
    answering(watched, lambda page: page | {"data": []})
    with pytest.raises(InvalidResponse, match="a page is empty, yet there is more"):
        watched.run(Walk(watched.source(), None).next())


def test_an_empty_list_has_an_end(watched: Watched) -> None:
    page = watched.run(Walk(watched.source(), None).next())
    assert page.end
    assert not page.items


def test_an_end_after_a_cursor_is_not_believed_unless_something_is_shown(watch: Watch) -> None:
    watched = filled(watch, 50)
    with pytest.raises(CursorLostError):
        watched.run(Walk(watched.source(), listed(watched)[-1]).next())


def test_an_end_is_believed_if_an_older_cursor_shows_the_position(watch: Watch) -> None:
    watched = filled(watch, 50)
    known = listed(watched)
    page = watched.run(Walk(watched.source(), known[-1], [known[-1], known[10]]).next())
    assert page.end
    assert not page.items


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (400, BadRequest)])
def test_a_refusal_without_a_cursor_is_the_failure_itself(watch: Watch, status: int, error: type[Exception]) -> None:
    watched = filled(watch)
    watched.simulation.faults.add(Status(status=status, endpoint="list"))
    with pytest.raises(error):
        watched.run(Walk(watched.source(), None).next())


def test_a_cursor_that_the_api_gave_just_now_and_refuses_is_an_invalid_response(watch: Watch) -> None:
    watched = filled(watch, options=Options(unknown_cursor="not_found"))
    walk = Walk(watched.source(), None)
    first = watched.run(walk.next())
    watched.simulation.forget_cursors(watched.id, *(item.id for item in first.items))
    with pytest.raises(InvalidResponse, match="though it said there was more"):
        watched.run(walk.next())


def test_an_item_deleted_behind_the_walk_costs_one_more_request(watch: Watch) -> None:
    watched = filled(watch, options=Options(unknown_cursor="not_found"))
    known = listed(watched)
    walk = Walk(watched.source(), None)
    watched.run(walk.next())
    watched.simulation.delete_work(watched.id, known[99])
    watched.transport.requests.clear()
    assert ids([watched.run(walk.next())]) == known[100:200]
    assert watched.asked("list") == [known[99], known[98]]


def test_pages_of_one_walk_are_an_interval_apart(watch: Watch, virtual_time: VirtualTime) -> None:
    watched = filled(watch, page_interval=0.1)
    moments: list[float] = []
    watched.transport.before = lambda request: moments.append(virtual_time.now)
    watched.run(to_the_end(Walk(watched.source(), None)))
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx([0.1, 0.1])


def test_two_walks_do_not_wait_for_each_other(watch: Watch, virtual_time: VirtualTime) -> None:
    watched = filled(watch, page_interval=0.1)
    start = virtual_time.now
    for _ in range(3):
        watched.run(Walk(watched.source(), None).next())
    assert virtual_time.now == start
