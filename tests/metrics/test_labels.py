"""Untrusted text as the value of a label: for every reader on one line, printable and short."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.labels import MAX_LENGTH, label_value
from tests.metrics.views import environment, fleet, of, queue, samples, snapshot

UNSAFE = {
    "line feed": "\n",
    "carriage return": "\r",
    "vertical tab": "\v",
    "form feed": "\f",
    "file separator": "\x1c",
    "NUL": "\x00",
    "escape": "\x1b",
    "delete": "\x7f",
    "NEL": "\x85",
    "control sequence introducer": "\x9b",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right-to-left override": "\u202e",
    "left-to-right isolate": "\u2066",
    "right-to-left mark": "\u200f",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff",
    "surrogate": "\ud83d",
}
SAFE = [
    "gpu-workers",
    'say "hello"',
    "back\\slash",
    "ü 任务 \U0001f600",
    "100 %s",
    "{a='b'}",
    "<b>",
    " ",
    "",
    "\ue000",
    "\xa0",
]


@pytest.mark.parametrize("character", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_unsafe_character_is_replaced(character: str) -> None:
    assert label_value(f"a{character}b") == "a�b"


@pytest.mark.parametrize("text", SAFE)
def test_other_text_stays(text: str) -> None:
    assert label_value(text) == text


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 1_000_000])
def test_long_text_is_cut(length: int) -> None:
    cut = label_value("x" * length)
    assert len(cut) == MAX_LENGTH == 128
    assert cut == "x" * 127 + "…"
    assert label_value("x" * MAX_LENGTH) == "x" * MAX_LENGTH


@given(st.text())
def test_any_text_becomes_one_line_that_has_an_encoding(text: str) -> None:
    value = label_value(text)
    assert len(value.splitlines()) <= 1
    assert len(value) <= MAX_LENGTH
    assert not {unicodedata.category(character) for character in value} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert label_value(value) == value
    value.encode()


def test_states_and_metadata_that_look_alike_are_added_up() -> None:
    counts = {
        ("paused\x00", ("a\n",)): 1,
        ("paused\x01", ("a\r",)): 2,
        ("paused\x01", ("b",)): 4,
        ("x" * 200, ("b",)): 8,
        ("x" * 300, ("b",)): 16,
    }
    shown = of(
        samples(fleet(environment(snapshot=snapshot(queue=queue(counts=counts))), keys=("job",))), "qoder_work_items"
    )
    assert shown == {("a�", "paused�"): 3, ("b", "paused�"): 4, ("b", "x" * 127 + "…"): 24}
