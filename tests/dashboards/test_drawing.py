"""The pictures in the docs show what the panels would."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tests.dashboards.backfill import SPAN, write
from tests.dashboards.conftest import FILES, ROOT
from tests.dashboards.running import ALL, prometheus
from tools.drawing import units
from tools.drawing.__main__ import main
from tools.drawing.frame import Frame, fetch, mapped, step_colour
from tools.drawing.interpolate import Chosen, Scope
from tools.drawing.picture import draw, height_of, save
from tools.drawing.query_api import Prometheus, QueryRefused, Series
from tools.drawing.theme import PAGE_PIXELS
from tools.drawing.tiles import rows_of

Json = dict[str, Any]
SCOPE = Scope(SPAN, ALL)
IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("drawing")
    with prometheus(folder, "", write(folder)) as running:
        yield running


def fleet() -> Json:
    decoded: Json = json.loads((ROOT / "grafana" / "dashboards" / "qoder-work-fleet.json").read_text())
    return decoded


def panel_of(board: Json, title: str) -> Json:
    (found,) = (panel for panel in board["panels"] if panel["title"] == title)
    return dict(found)


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0, "s", "0 s"),
        (0.25, "s", "250 ms"),
        (59, "s", "59 s"),
        (60, "s", "1 min"),
        (1500, "s", "25 mins"),
        (3600, "s", "1 hour"),
        (5400, "s", "1.5 hours"),
        (604_800, "s", "7 days"),
        (0.054, "percentunit", "5.4%"),
        (1234, "short", "1.23 K"),
        (12, "short", "12"),
        (2**20, "bytes", "1 MiB"),
        (0.5, "reqps", "0.5 req/s"),
        (3, "none", "3"),
    ],
)
def test_numbers_are_written_as_a_reader_wants_them(value: float, unit: str, written: str) -> None:
    assert units.text(value, unit) == written


def test_a_colour_holds_from_its_step_on() -> None:
    steps: list[Json] = [{"color": "a", "value": None}, {"color": "b", "value": 60}, {"color": "c", "value": 600}]
    assert [step_colour(steps, value) for value in (0, 59.9, 60, 599, 600)] == ["a", "a", "b", "b", "c"]


def test_words_stand_for_values_and_for_ranges() -> None:
    table = panel_of(fleet(), "Environments, worst first")
    finding = next(one for one in table["fieldConfig"]["overrides"] if one["matcher"]["options"] == "Finding")
    (mappings,) = (one["value"] for one in finding["properties"] if one["id"] == "mappings")
    words = [mapped(mappings, value) for value in (0, 1.5, 2.0001, 3.98, 4, 5, 6.1, 7, 8, 9)]
    assert [word and word[0] for word in words] == [
        "OK",
        "Drain overdue",
        "Backlog",
        "Heartbeat late",
        "Stuck starting",
        "Queue stalled",
        "Dead worker",
        "No workers",
        "Down",
        None,
    ]


def words_of(figure: Figure) -> set[str]:
    return {artist.get_text() for artist in figure.findobj(Text)}


def table_of(results: Sequence[tuple[str, Sequence[float]]]) -> Frame:
    """The Fleet's table with these values in its first columns."""
    table = panel_of(fleet(), "Environments, worst first")
    columns: list[list[Series]] = [[] for _ in table["targets"]]
    for name, values in results:
        for column, value in zip(columns, values, strict=False):
            labels = {"environment_id": f"env_{name}", "environment": name}
            column.append(Series(labels, ((SPAN.end, value),)))
    return Frame(table, columns, SCOPE)


def test_the_worst_row_is_on_top_and_the_larger_magnitude_first() -> None:
    frame = table_of([("fine", [0, 10]), ("quiet", [6.00001, 2]), ("backlog", [2.1, 999]), ("quieter", [6.00002, 1])])
    _, _, rows = rows_of(frame)
    assert [row.labels["environment"] for row in rows] == ["quieter", "quiet", "backlog", "fine"]


@pytest.mark.program("prometheus", "promtool")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_is_drawn_from_its_data(server: Prometheus, file: Path, tmp_path: Path) -> None:
    board = json.loads(file.read_text())
    figure = draw(server, board, SCOPE)
    written = words_of(figure)
    assert {panel["title"] for panel in board["panels"]} <= written
    assert (
        not {panel["fieldConfig"]["defaults"]["noValue"] for panel in board["panels"] if "fieldConfig" in panel}
        & written
    )
    save(figure, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (PAGE_PIXELS, height_of(board))
        assert len(picture.getcolors() or []) > 20


@pytest.mark.program("prometheus", "promtool")
def test_a_panel_without_data_says_so(server: Prometheus) -> None:
    board = fleet()
    nothing = Scope(SPAN, {**ALL, "environment": Chosen(("nowhere",))})
    figure = draw(server, board, nothing)
    written = words_of(figure)
    silent = {panel["fieldConfig"]["defaults"]["noValue"] for panel in board["panels"] if "fieldConfig" in panel}
    assert silent <= written


@pytest.mark.program("prometheus", "promtool")
def test_a_query_that_prometheus_refuses_is_an_error(server: Prometheus) -> None:
    panel = panel_of(fleet(), "Workers polling")
    panel["targets"] = [{**panel["targets"][0], "expr": "sum by (job"}]
    with pytest.raises(QueryRefused, match=r"bad_data.*sum by"):
        fetch(server, panel, SCOPE)


def test_an_unreachable_prometheus_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--prometheus", "http://127.0.0.1:1", "--output", str(tmp_path)])
    assert result.exit_code == 1
    assert "qoder-work-environment: " in result.output


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_docs_have_a_picture_of_the_layout_as_it_is(file: Path) -> None:
    picture = IMAGES / f"{file.stem}.png"
    assert picture.stat().st_size < 400_000
    with Image.open(picture) as opened:
        assert opened.size == (PAGE_PIXELS, height_of(json.loads(file.read_text())))
    page = (ROOT / "docs" / "dashboards.md").read_text()
    assert f"(images/{picture.name})" in page
    assert "not screenshots of Grafana" in page


def test_the_docs_name_only_files_that_exist() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text()
    named = {
        *re.findall(r"\]\(((?!http)[^)#]+)\)", page),
        *(f"../{path}" for path in re.findall(r"`((?:grafana|exporter|tools)/[\w./-]+)`", page)),
    }
    assert named
    assert [path for path in named if not (ROOT / "docs" / path).exists()] == []
