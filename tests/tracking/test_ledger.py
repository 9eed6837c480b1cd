"""What was read enters the ledger whole, once, and in the order of the list."""

import pytest

from exporter.tracking.history import SEGMENT_SIZE
from exporter.tracking.ledger import Ledger
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.live import UNKNOWN
from exporter.tracking.observation import Observation
from exporter.tracking.reading import Reading, Sighting
from exporter.tracking.tail import OVERLAP
from tests.tracking.books import item, ledger, reading, work_id


def stopped(known: Ledger) -> int:
    return known.history.stopped.total()


def numbers(known: Ledger) -> list[int]:
    """The live items by number."""
    return [int(each.removeprefix("work_")) for each in known.live]


def sighted(*items: Observation) -> list[Sighting]:
    """Items that were read alone."""
    return [Sighting(each, UNKNOWN) for each in items]


def test_new_items_follow_what_is_known() -> None:
    known = ledger(30)
    known.refresh([reading(19, None, [*map(item, range(20, 30)), item(30, "queued"), item(31)])], (), ())
    assert numbers(known) == [30]
    assert known.live[work_id(30)].before == work_id(29)
    assert list(known.positions()) == [30]
    assert stopped(known) == 31
    assert known.lifecycle.created == 2
    assert known.tail.last == work_id(31)


def test_the_end_of_the_list_is_known_one_by_one() -> None:
    known = ledger(30)
    assert known.tail.ids == [work_id(number) for number in range(30 - OVERLAP - 1, 30)]


def test_a_short_reading_of_the_end_leaves_known_what_stands_before_it() -> None:
    known = ledger(30)
    known.recount(reading(27, None, [item(28), item(29)]))
    assert known.tail.ids == [work_id(number) for number in range(30 - OVERLAP - 1, 30)]


def test_an_empty_reading_of_the_end_leaves_known_what_stands_before_it() -> None:
    known = ledger(30)
    known.recount(reading(29, None, []))
    assert known.tail.ids == [work_id(number) for number in range(30 - OVERLAP - 1, 30)]


def test_a_reading_from_an_older_anchor_forgets_what_was_deleted_since() -> None:
    known = ledger(30)
    known.refresh([reading(5, None, map(item, [6, 7, 8, 20, 25]))], (), ())
    assert known.tail.ids == [work_id(number) for number in (5, 6, 7, 8, 20, 25)]


@pytest.mark.parametrize("state", ["queued", "stopped"])
def test_a_new_item_that_another_page_shows_beyond_the_end_is_counted_once(state: str) -> None:
    """The end was read before the item was created, a window after that."""
    known = ledger(200, {40, 60})
    tail = reading(189, None, map(item, range(190, 200)))
    window = reading(39, 200, [item(40, "active"), item(60, "active"), *map(item, range(190, 200)), item(200, state)])
    known.refresh([tail, window], (), ())
    known.refresh([reading(189, None, [*map(item, range(190, 200)), item(200, state)])], (), ())
    assert known.lifecycle.created == 1
    assert stopped(known) == 198 + (state == "stopped")
    assert len(known.live) == 2 + (state != "stopped")
    assert known.history.size == 201


def test_a_late_item_that_another_page_shows_is_counted_once() -> None:
    """The end was read before the item became visible there, a window after that."""
    known = ledger(200, {40, 60})
    late = Observation(work_id(195) + "5", "stopped", (), 1000.0)
    window = reading(39, 198, [item(40, "active"), item(60, "active"), *map(item, range(190, 196)), late])
    known.refresh([reading(189, None, map(item, range(190, 200))), window], (), ())
    seen = [*map(item, range(190, 196)), late, *map(item, range(196, 200))]
    known.refresh([reading(189, None, seen)], (), ())
    assert known.lifecycle.created == 1
    assert stopped(known) == 199


def test_new_items_beyond_the_end_that_a_window_saw_are_counted_once() -> None:
    """A thousand items came between the two requests, and the tail was not read to its end."""
    known = ledger(200, {40, 60})
    window = reading(39, None, [item(40, "active"), item(60, "active"), *map(item, range(190, 210))])
    tail = reading(189, 1199, map(item, range(190, 1200)))
    known.refresh([window, tail], (), ())
    known.refresh([reading(1189, None, map(item, range(1190, 1300)))], (), ())
    assert known.lifecycle.created == 1100
    assert stopped(known) == 1298


def test_a_live_item_missing_from_a_page_that_covers_its_place_is_expected_there_and_stays() -> None:
    known = ledger(200, {40, 41, 60, 150})
    page = reading(39, 99, [item(40, "active"), item(60, "active")])
    assert known.expected(page) == {work_id(40), work_id(41), work_id(60)}
    known.refresh([page], (), ())
    assert numbers(known) == [40, 41, 60, 150]
    assert known.lifecycle.vanished == 0


def test_the_last_ids_of_the_list_are_expected_live_or_not() -> None:
    known = ledger(30, {25})
    assert known.expected(reading(26, None, [])) == {work_id(number) for number in (27, 28, 29)}


def test_what_is_read_again_is_expected_to_show_some_ends_of_segments() -> None:
    known = ledger(900)
    ends = {work_id(number) for number in range(99, 900, 100)}
    expected = known.expected(reading(None, 799, []), anchors=3)
    assert len(expected) == 3
    assert expected <= ends


def test_what_the_list_leaves_out_is_expected_again_when_a_page_has_shown_it() -> None:
    known = ledger(200, {40})
    page = reading(39, 99, [item(40, "active")])
    known.unlist([work_id(40)])
    assert not known.expected(page)
    known.refresh([page], (), ())
    assert known.expected(page) == {work_id(40)}


def test_a_live_item_beyond_the_page_has_not_vanished() -> None:
    known = ledger(200, {40, 60})
    known.refresh([reading(39, 59, [item(40, "active")])], (), ())
    assert numbers(known) == [40, 60]
    assert known.lifecycle.vanished == 0


def test_an_item_that_one_page_shows_and_another_does_not_has_not_vanished() -> None:
    known = ledger(200, {40})
    known.refresh([reading(30, 99, []), reading(39, 99, [item(40, "active")])], (), [work_id(40)])
    assert numbers(known) == [40]
    assert known.lifecycle.vanished == 0
    assert not known.doubtful


def test_an_item_that_the_api_does_not_know_has_vanished_once() -> None:
    known = ledger(200, {40})
    known.refresh([], (), [work_id(40)])
    known.refresh([], (), [work_id(40)])
    assert not known.live
    assert known.lifecycle.vanished == 1


def test_of_two_readings_of_an_item_the_later_counts() -> None:
    known = ledger(200, {40})
    early, late = item(40, "active", read_at=1001.0), item(40, "stopping", read_at=1002.0)
    for readings in ([early, late], [late, early]):
        known.refresh([reading(39, 40, [each]) for each in readings], (), ())
        assert known.live[work_id(40)].seen == late


def test_stopped_counts_whatever_the_clocks_say() -> None:
    known = ledger(200, {40})
    known.refresh(
        [reading(39, 40, [item(40, "stopped", read_at=1001.0)])], sighted(item(40, "active", read_at=1002.0)), ()
    )
    assert not known.live
    assert stopped(known) == 200


def test_an_item_read_alone_keeps_its_predecessor() -> None:
    known = ledger(200, {40})
    known.refresh([], sighted(item(40, "stopping")), ())
    assert known.live[work_id(40)].before == work_id(39)


def test_an_item_read_on_a_page_gets_a_new_predecessor() -> None:
    known = ledger(200, {40})
    known.refresh([reading(30, 40, [item(37), item(40, "active")])], (), ())
    assert known.live[work_id(40)].before == work_id(37)


def test_an_item_that_stops_is_counted_as_stopped_once() -> None:
    known = ledger(200, {40})
    known.refresh([reading(39, 40, [item(40)])], (), ())
    known.refresh([reading(39, 40, [item(40)])], (), ())
    assert stopped(known) == 200
    assert known.lifecycle.stopped == 1


def test_a_stopped_item_that_lives_again_makes_its_segment_doubtful() -> None:
    known = ledger(200, {41})
    known.refresh([reading(39, 41, [item(40, "active"), item(41, "active")])], (), ())
    assert known.doubtful == {work_id(40)}
    assert numbers(known) == [40, 41]


def test_counting_a_segment_anew_settles_doubt() -> None:
    known = ledger(200, {41})
    known.refresh([reading(39, 41, [item(40, "active"), item(41, "active")])], (), ())
    states = {40: "active", 41: "active"}
    known.recount(reading(None, 99, [item(number, states.get(number, "stopped")) for number in range(SEGMENT_SIZE)]))
    assert not known.doubtful
    assert stopped(known) == 198
    assert known.lifecycle.stopped == 0


def test_a_stopped_item_that_has_gone_from_the_end_makes_its_segment_doubtful() -> None:
    known = ledger(30)
    known.refresh([reading(19, None, map(item, [*range(20, 25), *range(26, 30)]))], (), ())
    assert known.doubtful == {work_id(25)}


def test_a_live_item_that_has_gone_from_the_end_leaves_no_doubt() -> None:
    known = ledger(30, {25})
    known.refresh([reading(19, None, map(item, [*range(20, 25), *range(26, 30)]))], (), [work_id(25)])
    assert not known.doubtful
    assert known.lifecycle.vanished == 1


def test_an_id_that_appears_late_among_the_last_ones_is_a_new_item() -> None:
    known = ledger(30)
    late = Observation(work_id(25) + "5", "queued", (), 1000.0)
    known.refresh([reading(19, None, [*map(item, range(20, 26)), late, *map(item, range(26, 30))])], (), ())
    assert known.lifecycle.created == 1
    assert late.id in known.live
    assert known.history.size == 31


def test_counting_anew_up_to_the_last_known_item_counts_nothing_twice() -> None:
    """The item at the end was live and was deleted, so the last segment still ends with its ID."""
    known = ledger(150, {149})
    known.refresh([reading(139, None, map(item, range(140, 149)))], (), ())
    known.recount(reading(99, None, map(item, range(100, 149))))
    assert stopped(known) == 149


def test_counting_anew_beyond_the_last_known_item_counts_nothing_twice() -> None:
    """As above, and a new item has an ID before the deleted one's."""
    known = ledger(150, {149})
    known.refresh([reading(139, None, map(item, range(140, 149)))], (), ())
    new = Observation(work_id(148) + "5", "stopped", (), 1000.0)
    known.recount(Reading(work_id(99), new.id, [Sighting(each, "") for each in [*map(item, range(100, 149)), new]]))
    assert stopped(known) == 150
    assert known.lifecycle.created == 1


def test_counting_anew_puts_the_places_of_live_items_right() -> None:
    known = ledger(200, {40, 60, 150})
    kept = [
        item(number, "active" if number in {40, 60} else "stopped") for number in range(100) if not 10 <= number < 30
    ]
    known.recount(reading(None, 99, kept))
    assert list(known.positions()) == [20, 40, 130]


def test_what_happens_before_the_list_is_complete_is_not_counted() -> None:
    known = Ledger()
    known.recount(reading(None, 1, [item(0, "queued"), item(1)]))
    known.recount(reading(1, None, [item(2)]))
    assert known.lifecycle.created == known.lifecycle.stopped == 0


def test_starting_over_before_all_is_read_forgets_the_list_but_not_what_was_counted_before() -> None:
    known = Ledger(lifecycle=Lifecycle(created=7))
    known.traverse(reading(None, 1, [item(0, "queued"), item(1)]), (), 1000.0)
    known.start_over()
    assert known.lifecycle.created == 7
    assert not known.live
    assert stopped(known) == 0
    assert (known.tail.ids, known.traversed) == ([None], None)


def test_starting_over_after_all_was_read_forgets_nothing() -> None:
    known = ledger(200, {5})
    items = [item(number, "active" if number == 5 else "stopped") for number in range(100)]
    known.traverse(reading(None, 99, items), (), 1000.0)
    assert known.traversed == work_id(99)
    known.start_over()
    assert known.stand() is None
    assert (numbers(known), stopped(known)) == ([5], 199)
