"""A plan covers everything that can have changed, with as few requests as there can be."""

from collections.abc import Sequence
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from exporter.tracking.ledger import Ledger
from exporter.tracking.live import UNKNOWN, LiveItem
from exporter.tracking.planner import Plan, plan
from exporter.tracking.tail import OVERLAP
from tests.tracking.books import ledger, work_id

PAGE = 20


def fewest_pages(points: Sequence[int], size: int, page: int) -> int:
    """Pages that cover these ranks and the end of a list of this size, found by trying every place for every page."""
    points = sorted(point for point in points if point < size - page)

    @cache
    def cover(index: int) -> int:
        if index == len(points):
            return 0
        starts = range(points[index] - page + 1, points[index] + 1)
        beyond = [next((i for i, p in enumerate(points) if p >= start + page), len(points)) for start in starts]
        return 1 + min(cover(following) for following in beyond)

    return cover(0) + 1


def rank(target: LiveItem) -> int:
    """Where an item of these lists stands: they count their items."""
    return int(target.seen.id.removeprefix("work_"))


def covered(planned: Plan, page: int) -> set[str]:
    """The live items that the plan reads before its tail."""
    for targets in planned.windows:
        assert rank(targets[-1]) - rank(targets[0]) < page
    return {target.seen.id for targets in (*planned.windows, planned.single) for target in targets}


sizes = st.integers(0, 150)


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Ledger, set[int], int]:
    size = draw(sizes)
    live = draw(st.sets(st.integers(0, size - 1), max_size=14)) if size else set()
    return ledger(size, live), live, size


@given(ledgers(), st.integers(OVERLAP + 1, 40))
def test_a_plan_reads_every_live_item_and_the_end_of_the_list(case: tuple[Ledger, set[int], int], page: int) -> None:
    known, live, _ = case
    planned = plan(known, page)
    in_tail = {each for each in known.live if planned.tail_after is None or each > planned.tail_after}
    assert covered(planned, page) | in_tail == {work_id(number) for number in live}
    assert planned.tail_after is None or planned.tail_after <= (known.tail.ids[0] or "")


@given(ledgers(), st.integers(OVERLAP + 1, 40))
def test_a_plan_takes_the_fewest_requests(case: tuple[Ledger, set[int], int], page: int) -> None:
    known, live, size = case
    assert plan(known, page).requests == fewest_pages(sorted(live), size, page)


@given(ledgers(), st.integers(OVERLAP + 1, 40))
def test_nothing_is_read_twice_by_plan(case: tuple[Ledger, set[int], int], page: int) -> None:
    known, _, _ = case
    planned = plan(known, page)
    targets = [target.seen.id for targets in (*planned.windows, planned.single) for target in targets]
    assert len(targets) == len(set(targets))
    assert all(planned.tail_after is not None and target <= planned.tail_after for target in targets)


def test_an_item_without_live_neighbours_is_read_alone() -> None:
    planned = plan(ledger(200, {50}), PAGE)
    assert [target.seen.id for target in planned.single] == [work_id(50)]
    assert not planned.windows


def test_neighbours_are_read_as_a_page() -> None:
    planned = plan(ledger(200, {50, 69}), PAGE)
    assert [[target.seen.id for target in targets] for targets in planned.windows] == [[work_id(50), work_id(69)]]
    assert not planned.single


def test_items_a_page_apart_are_no_neighbours() -> None:
    planned = plan(ledger(200, {50, 70}), PAGE)
    assert [target.seen.id for target in planned.single] == [work_id(50), work_id(70)]


def test_a_page_that_reaches_the_end_is_the_tail_itself() -> None:
    planned = plan(ledger(200, {180, 185}), PAGE)
    assert planned == Plan((), (), work_id(179))


def test_a_page_that_ends_just_before_the_end_is_not_the_tail() -> None:
    planned = plan(ledger(200, {179, 185}), PAGE)
    assert [[rank(target) for target in targets] for targets in planned.windows] == [[179, 185]]
    assert planned.tail_after == work_id(200 - OVERLAP - 1)


def test_an_idle_list_is_read_from_a_few_known_ids_before_its_end() -> None:
    assert plan(ledger(200), PAGE) == Plan((), (), work_id(200 - OVERLAP - 1))


def test_a_short_list_is_read_from_its_start() -> None:
    assert plan(ledger(OVERLAP), PAGE) == Plan((), (), None)


def test_an_item_whose_predecessor_is_unknown_is_read_alone() -> None:
    known = ledger(200, {50, 51})
    known.live[work_id(50)].before = UNKNOWN
    planned = plan(known, PAGE)
    assert [target.seen.id for target in planned.single] == [work_id(50), work_id(51)]


def test_sixty_live_items_of_which_a_tenth_is_far_back_take_the_fewest_pages() -> None:
    size = 100_000
    ranks = [*(size // 7 * part for part in range(6)), *(size - 300 + 5 * number for number in range(54))]
    requests = plan(ledger(size, set(ranks)), 100).requests
    assert requests == fewest_pages(ranks, size, 100) == 6 + 3
