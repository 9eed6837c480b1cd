"""Pages of work items: limits, cursors, envelopes, and what the documentation leaves open."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import Options, Simulation
from exporter.simulator.item import item_id
from exporter.simulator.page import PageRequest, select_page
from tests.simulator.account import Account, refusal

INVALID = (400, "invalid_request_error")


def filled(account: Account, count: int) -> list[str]:
    return [account.simulation.create_work(account.id) for _ in range(count)]


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


async def test_an_empty_list_is_an_empty_page(account: Account) -> None:
    assert await account.page() == {
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
        "next_page": None,
    }


async def test_a_page_has_twenty_items_unless_asked(account: Account) -> None:
    work_ids = filled(account, 21)
    page = await account.page()
    assert ids(page) == work_ids[:20]
    assert page["first_id"] == work_ids[0]
    assert page["last_id"] == page["next_page"] == work_ids[19]
    assert page["has_more"] is True


async def test_the_limit_is_capped_at_a_hundred_without_an_error(account: Account) -> None:
    work_ids = filled(account, 101)
    assert ids(await account.page(limit=100_000)) == work_ids[:100]


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "ten", "", " 5", "٣"])
async def test_a_limit_that_is_no_positive_integer_is_refused(account: Account, limit: str) -> None:
    assert refusal(await account.list(limit=limit)) == INVALID


@pytest.mark.parametrize("pair", [("page", "before_id"), ("page", "after_id"), ("before_id", "after_id")])
async def test_cursors_exclude_each_other(account: Account, pair: tuple[str, str]) -> None:
    [work_id] = filled(account, 1)
    assert refusal(await account.list(**dict.fromkeys(pair, work_id))) == INVALID


@pytest.mark.parametrize("cursor", ["page", "after_id"])
async def test_the_list_goes_on_behind_the_cursor(account: Account, cursor: str) -> None:
    work_ids = filled(account, 7)
    page = await account.page(limit=3, **{cursor: work_ids[1]})
    assert ids(page) == work_ids[2:5]
    assert page["has_more"] is True
    last = await account.page(limit=3, **{cursor: work_ids[4]})
    assert (ids(last), last["has_more"], last["next_page"]) == (work_ids[5:], False, None)


async def test_the_page_behind_the_last_item_is_empty(account: Account) -> None:
    work_ids = filled(account, 3)
    assert (await account.page(after_id=work_ids[-1]))["data"] == []


async def test_before_id_gives_the_nearest_items_ascending(account: Account) -> None:
    work_ids = filled(account, 7)
    page = await account.page(limit=3, before_id=work_ids[5])
    assert (ids(page), page["has_more"]) == (work_ids[2:5], True)
    page = await account.page(limit=3, before_id=work_ids[2])
    assert (ids(page), page["has_more"]) == (work_ids[:2], False)


async def test_before_id_may_give_the_first_items() -> None:
    async with Account(Options(before_id_page="first")) as account:
        work_ids = filled(account, 7)
        page = await account.page(limit=3, before_id=work_ids[5])
        assert (ids(page), page["has_more"]) == (work_ids[:3], True)


async def test_a_page_may_be_shorter_than_asked() -> None:
    async with Account(Options(page_cap=4)) as account:
        work_ids = filled(account, 6)
        page = await account.page(limit=100)
        assert (ids(page), page["has_more"]) == (work_ids[:4], True)


async def test_envelope_fields_may_be_missing() -> None:
    async with Account(Options(omit=frozenset({"next_page", "has_more"}))) as account:
        [work_id] = filled(account, 1)
        page = await account.page()
        assert {name: page[name] for name in page if name != "data"} == {"first_id": work_id, "last_id": work_id}


@pytest.mark.parametrize("cursor", ["page", "after_id", "before_id"])
async def test_an_empty_cursor_counts_as_none(account: Account, cursor: str) -> None:
    work_ids = filled(account, 3)
    assert ids(await account.page(**{cursor: ""})) == work_ids


async def test_an_empty_cursor_may_be_refused() -> None:
    async with Account(Options(empty_cursor="invalid")) as account:
        assert refusal(await account.list(page="")) == INVALID


@pytest.mark.parametrize("cursor", ["page", "after_id", "before_id"])
class TestUnknownCursor:
    """A cursor whose item was deleted, by each policy."""

    async def ask(self, options: Options, cursor: str) -> tuple[Account, list[str], Any]:
        account = Account(options)
        work_ids = filled(account, 6)
        account.simulation.delete_work(account.id, work_ids[3])
        response = await account.list(**{cursor: work_ids[3]})
        await account.http.aclose()
        return account, work_ids, response

    async def test_is_compared_by_default(self, cursor: str) -> None:
        _, work_ids, response = await self.ask(Options(), cursor)
        assert ids(response.json()) == (work_ids[:3] if cursor == "before_id" else work_ids[4:])

    async def test_may_be_missing(self, cursor: str) -> None:
        _, _, response = await self.ask(Options(unknown_cursor="not_found"), cursor)
        assert refusal(response) == (404, "not_found_error")

    async def test_may_be_invalid(self, cursor: str) -> None:
        _, _, response = await self.ask(Options(unknown_cursor="invalid"), cursor)
        assert refusal(response) == INVALID
        assert response.json()["error"]["param"] == cursor

    async def test_may_give_an_empty_page(self, cursor: str) -> None:
        _, _, response = await self.ask(Options(unknown_cursor="empty"), cursor)
        assert (ids(response.json()), response.json()["has_more"]) == ([], False)

    async def test_may_restart_the_list(self, cursor: str) -> None:
        account, _, response = await self.ask(Options(unknown_cursor="restart"), cursor)
        assert ids(response.json()) == account.simulation.work_ids(account.id)


async def test_a_listed_item_may_be_forgotten_as_a_cursor() -> None:
    async with Account(Options(unknown_cursor="not_found")) as account:
        work_ids = filled(account, 3)
        account.simulation.forget_cursors(account.id, work_ids[1])
        assert refusal(await account.list(after_id=work_ids[1])) == (404, "not_found_error")
        assert ids(await account.page(after_id=work_ids[0])) == work_ids[1:]


async def test_options_change_while_it_runs(account: Account) -> None:
    work_ids = filled(account, 5)
    account.simulation.change_options(account.id, page_cap=2)
    assert ids(await account.page()) == work_ids[:2]


@pytest.mark.parametrize("change", [{"page_cap": 0}, {"page_cap": 101}, {"default_ttl_seconds": 0}])
def test_impossible_options_are_refused(change: dict[str, int]) -> None:
    [name] = change
    with pytest.raises(ValueError, match=f"^{name}: must be"):
        replace(Options(), **change)  # type: ignore[arg-type]


@given(
    keys=st.lists(st.text("abc", min_size=1, max_size=3), unique=True),
    limit=st.integers(1, 5),
    cursor=st.none() | st.text("abc", min_size=1, max_size=3),
    backward=st.booleans(),
    descending=st.booleans(),
)
def test_a_page_is_what_filtering_the_whole_list_gives(
    keys: list[str], limit: int, cursor: str | None, backward: bool, descending: bool
) -> None:
    keys.sort(reverse=descending)
    page = select_page(keys, str, PageRequest(limit, cursor, backward=backward), Options(), descending=descending)
    if cursor is None:
        wanted, rest = keys[:limit], keys[limit:]
    elif backward:
        before = [key for key in keys if (key > cursor if descending else key < cursor)]
        wanted, rest = before[-limit:], before[:-limit]
    else:
        after = [key for key in keys if (key < cursor if descending else key > cursor)]
        wanted, rest = after[:limit], after[limit:]
    assert list(page.data) == wanted
    assert page.has_more == bool(rest)


@given(data=st.data(), count=st.integers(0, 30), limit=st.integers(1, 7))
def test_a_traversal_sees_every_item_that_stays_once(data: st.DataObject, count: int, limit: int) -> None:
    simulation = Simulation(seed=count)
    environment_id = simulation.create_environment("busy")
    stay = {simulation.create_work(environment_id) for _ in range(count)}
    seen: list[str] = []
    cursor: str | None = None
    more = True
    while more:
        items = simulation.environment(environment_id).queue.items
        page = select_page(items, item_id, PageRequest(limit, cursor), Options())
        seen += [item.id for item in page.data]
        more, cursor = page.has_more, seen[-1] if seen else None
        delete: bool = data.draw(st.booleans(), label="delete")
        if items and delete:
            gone = data.draw(st.sampled_from(sorted(item.id for item in items)), label="gone")
            simulation.delete_work(environment_id, gone)
            stay.discard(gone)
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)
