from itertools import pairwise
from typing import Any

Json = dict[str, Any]


def cells(panel: Json) -> list[tuple[int, int]]:
    place = panel["gridPos"]
    return [
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]


def test_panels_cover_the_grid_without_an_overlap_and_without_a_hole(board: Json) -> None:
    covered = [cell for panel in board["panels"] for cell in cells(panel)]
    assert len(covered) == len(set(covered)), "two panels overlap"
    depth = max(y for _, y in covered) + 1
    assert set(covered) == {(x, y) for x in range(24) for y in range(depth)}


def test_panels_are_numbered_once_in_reading_order(board: Json) -> None:
    assert [panel["id"] for panel in board["panels"]] == list(range(1, len(board["panels"]) + 1))
    places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in board["panels"]]
    assert all(before < after for before, after in pairwise(places))


def test_the_answer_is_on_the_first_screen(board: Json) -> None:
    # A row of the grid is 38 pixels; a browser on a small laptop shows about 16 of them.
    first = [panel for panel in board["panels"] if panel["gridPos"]["y"] == 0]
    assert {panel["type"] for panel in first} == {"stat"}
    assert sum(panel["gridPos"]["w"] for panel in first) == 24
