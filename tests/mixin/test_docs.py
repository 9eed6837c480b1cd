"""The generated tables of the documentation: current, and written into their places only."""

import shutil
from pathlib import Path

import pytest

from tools.docs import PLACES, ROOT, main
from tools.markdown import fill, table


def test_generated_tables_are_current() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", PLACES)
def test_a_page_that_drifted_is_named_and_written_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    for page in PLACES:
        shutil.copy(ROOT / page, tmp_path / page)
    drifted = tmp_path / name
    place = next(iter(PLACES[name]))
    drifted.write_text(drifted.read_text().replace(f"<!-- end of {place} -->", f"Old.\n<!-- end of {place} -->"))
    assert drifted.read_text() != (ROOT / name).read_text()
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err == f"{name}: a generated table is not current; run `make docs`\n"
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_a_place_is_filled_and_the_rest_kept() -> None:
    page = "A\n<!-- figures: written by me -->\nold\n<!-- end of figures -->\nB\n"
    assert fill(page, "figures", "| \\1 |") == (
        "A\n<!-- figures: written by me -->\n\n| \\1 |\n\n<!-- end of figures -->\nB\n"
    )


@pytest.mark.parametrize("page", ["Nothing.\n", "<!-- figures: written by me -->\nno end\n"])
def test_a_page_without_the_place_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="one place for figures"):
        fill(page, "figures", "new")


def test_tables() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
