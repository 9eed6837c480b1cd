"""The benchmarks in their quick mode: what a scrape asks of the API. Seconds are not judged here."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.layout import PAGE, Layout, fewest_windows
from benchmarks.limits import verdicts
from benchmarks.pictures import PICTURES, curve, rows_of, seconds
from benchmarks.program import Version
from benchmarks.report import insert
from benchmarks.results import Results
from benchmarks.versions import measure

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the program finds out: the exporter and the peer in processes of their own, on a simulated API."""
    data = tmp_path_factory.mktemp("benchmarks") / "results.json"
    cases = [f"--cases={name}" for name in ("histories", "idle", "environments", "exposition", "scrapers")]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--scrapes=2", "--peer-pages=2", f"--json={data}", *cases]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "### Limits" in ended.stdout
    return msgspec.json.decode(data.read_bytes(), type=Results)


def test_a_scrape_takes_at_most_two_requests_more_than_the_fewest_pages(results: Results) -> None:
    for comparison in results.histories:
        assert comparison.live == 60
        for cost in comparison.costs:
            assert cost.requests <= comparison.fewest + 2


def test_a_scrape_takes_the_same_requests_where_the_history_is_ten_times_as_long(results: Results) -> None:
    shorter, longer = results.histories
    assert longer.items == 10 * shorter.items
    assert [cost.requests for cost in shorter.costs] == [cost.requests for cost in longer.costs]


def test_the_pager_reads_the_whole_list(results: Results) -> None:
    longest = results.histories[-1]
    assert longest.peer is not None
    assert [cost.requests for cost in longest.peer.costs] == [longest.items / PAGE] * 2


def test_the_first_traversal_reads_the_list_once(results: Results) -> None:
    longest = results.histories[-1]
    pages = longest.items / PAGE
    assert pages <= longest.first.requests < 1.1 * pages


def test_an_idle_environment_takes_two_requests(results: Results) -> None:
    assert results.idle is not None
    assert results.idle.live == 0
    assert {cost.requests for cost in results.idle.costs} == {2}


def test_many_environments_take_three_requests_each_at_most(results: Results) -> None:
    assert results.environments is not None
    for cost in results.environments.costs:
        assert cost.requests <= 3 * results.environments.environments


def test_the_first_scrape_after_a_restart_is_whole(results: Results) -> None:
    longest = results.histories[-1]
    assert longest.restart.whole
    assert longest.restart.requests < longest.items / PAGE / 10


def test_many_scrapers_at_once_cost_one_encoding(results: Results) -> None:
    assert [exposition.environments for exposition in results.exposition] == [1, 100, 500]
    assert [(each.scrapers, each.encodings) for each in results.together] == [(1, 1), (50, 1)]


def test_a_quick_run_judges_no_times(results: Results) -> None:
    timed = {verdict.what for verdict in verdicts(results) if verdict.timed}
    judged = {verdict.what for verdict in verdicts(results, quick=True)}
    assert timed
    assert judged == {verdict.what for verdict in verdicts(results)} - timed


def test_what_was_measured_is_judged(results: Results) -> None:
    requests = [verdict for verdict in verdicts(results) if "request" in verdict.what and "wall" not in verdict.what]
    assert len(requests) == 5
    assert all(verdict.holds for verdict in requests)


@pytest.mark.parametrize(
    ("positions", "fewest"),
    [
        ([], 0),
        ([0], 1),
        ([0, 99], 1),
        ([0, 100], 2),
        ([5, 50, 104, 105, 204], 2),
        ([5, 50, 104, 105, 205], 3),
        (list(range(1000)), 10),
    ],
)
def test_the_fewest_pages_are_counted_by_trying_them_all(positions: list[int], fewest: int) -> None:
    assert fewest_windows(positions, 1000) == fewest


def test_live_items_stand_as_near_to_the_end_whatever_the_length() -> None:
    short, long = (Layout("short", 1_000, 60, 6).positions(), Layout("long", 100_000, 60, 6).positions())
    assert len(set(short)) == len(set(long)) == 60
    assert [1_000 - position for position in short[6:]] == [100_000 - position for position in long[6:]]
    assert max(short[:6]) < 900


def test_more_live_items_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="small: 60 live items do not fit a list of 50"):
        Layout("small", 50, 60, 6).positions()


def test_the_report_takes_the_place_of_the_one_before() -> None:
    document = "Before.\n\n<!-- figures: written by me -->\n\nold\n\n<!-- end of figures -->\n\nAfter.\n"
    once = insert(document, "new\n")
    assert once == insert(once, "new\n") == document.replace("old", "new")


def test_a_document_without_room_for_the_report_is_refused() -> None:
    with pytest.raises(ValueError, match="needs one place for figures"):
        insert("Nothing.\n", "new\n")


def test_the_document_has_the_figures_of_a_whole_run_and_they_keep_every_limit() -> None:
    document = (ROOT / "docs" / "performance.md").read_text()
    _, _, rest = document.partition("<!-- figures: written by the command below -->")
    figures, end, _ = rest.partition("<!-- end of figures -->")
    assert end
    for heading in (
        "A longer history",
        "A first start",
        "More live items",
        "Other cases",
        "100,000 live items",
        "Writing the metrics",
        "Limits",
    ):
        assert f"### {heading}" in figures
    verdicts_shown = [line for line in figures.splitlines() if line.endswith(("| yes |", "| **no** |"))]
    assert len(verdicts_shown) > 20
    assert not [line for line in verdicts_shown if line.endswith("| **no** |")]


def test_the_pictures_show_the_documents_tables() -> None:
    document = (ROOT / "docs" / "performance.md").read_text()
    for picture in PICTURES:
        assert (ROOT / "docs" / "images" / picture.file).exists()
        assert f"(images/{picture.file})" in document
        rows = rows_of(document, picture.heading)
        for columns in picture.curves.values():
            points = curve(rows, *columns)
            assert len(points) == 4
            assert [x for x, _ in points] == sorted({x for x, _ in points})


@pytest.mark.parametrize(("cell", "value"), [("17 ms", 0.017), ("≈ 431 s", 431), ("4.0 s", 4), ("≈ 14 min", 840)])
def test_a_time_in_a_table_is_read_in_seconds(cell: str, value: float) -> None:
    assert seconds(cell) == pytest.approx(value)


def test_two_versions_take_turns_on_one_api() -> None:
    versions = (Version(sys.executable, ROOT), Version(sys.executable))
    (requests, costs), others = measure([Layout("small", 300, 5, 1)], versions, scrapes=3)
    assert requests == others[0] == 3  # the list's end, one item far back, and the statistics
    assert len(costs) == 3
    assert min(costs) > 0
