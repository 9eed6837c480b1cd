"""Times as the API writes them, and as other deployments may."""

import calendar
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.api import errors
from exporter.api.types import QueueStats, WorkItem, unix
from tests.api.harness import item, read

FIELDS = (
    *("created_at", "acknowledged_at", "started_at", "latest_heartbeat_at"),
    *("stop_requested_at", "stopped_at"),
)
EIGHT = 1_782_892_800.0
"""2026-07-01T08:00:00Z."""


def created(text: str) -> float:
    """The creation time of an item in which it is written like this."""
    found = read(item(created_at=text), WorkItem)
    assert found.created_at is not None
    return unix(found.created_at)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-07-01T08:00:00Z", 0.0),
        ("2026-07-01T08:00:00.5Z", 0.5),
        ("2026-07-01T08:00:00.61669Z", 0.61669),
        ("2026-07-01T08:00:00.120394Z", 0.120394),
        ("2026-07-01T08:00:00.123456789Z", 0.123457),
        ("2026-07-01T08:00:00.999999999Z", 1.0),
        ("2026-07-01T08:00:00+00:00", 0.0),
        ("2026-07-01T16:00:00+08:00", 0.0),
        ("2026-06-30T22:30:00.25-09:30", 0.25),
        ("2026-07-01T08:00:00-00:00", 0.0),
        ("2026-07-01t08:00:00z", 0.0),
        ("2026-07-01T08:00:00", 0.0),
        ("2026-07-01 08:00:00Z", 0.0),
        ("1970-01-01T00:00:00Z", -EIGHT),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert created(text) - EIGHT == pytest.approx(seconds, abs=1e-6)


@st.composite
def written_times(draw: st.DrawFn) -> tuple[str, Decimal]:
    """A time with any fraction, offset and case, and the unix time it means."""
    parts = draw(st.datetimes()).timetuple()[:6]
    digits = draw(st.text("0123456789", max_size=9))
    minutes = draw(st.one_of(st.none(), st.integers(-14 * 60, 14 * 60)))
    zone = draw(st.sampled_from("Zz"))
    if minutes is not None:
        zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    separator = draw(st.sampled_from("Tt"))
    year, month, day, hour, minute, second = parts
    text = f"{year:04d}-{month:02d}-{day:02d}{separator}{hour:02d}:{minute:02d}:{second:02d}"
    unix_time = calendar.timegm((*parts, 0, 0, 0)) - 60 * (minutes or 0)
    return f"{text}.{digits}{zone}" if digits else f"{text}{zone}", unix_time + Decimal(f"0.{digits or 0}")


@given(written_times())
def test_any_time_that_can_be_written_is_read(written: tuple[str, Decimal]) -> None:
    text, unix_time = written
    assume(not text.startswith("9999-12-31"))  # its fraction may round up into a year that Python does not have
    assert abs(created(text) - float(unix_time)) < 1e-4


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_time_is_none(field: str, value: str | None) -> None:
    found = read(item(**{field: value}), WorkItem)
    assert getattr(found, field) is None


@pytest.mark.parametrize("field", FIELDS)
def test_a_time_that_is_left_out_is_none(field: str) -> None:
    body = item()
    del body[field]
    assert getattr(read(body, WorkItem), field) is None


def test_an_unset_time_leaves_the_others_alone() -> None:
    found = read(item(stopped_at="", metadata={"job": "", "created_at": ""}), WorkItem)
    assert found.stopped_at is None
    assert found.created_at is not None
    assert found.metadata is not None
    assert found.metadata["job"] == ""


def test_unset_times_of_the_statistics_are_none() -> None:
    found = read({"depth": 0, "pending": 0, "oldest_queued_at": "", "workers_polling": 0}, QueueStats)
    assert found == QueueStats(depth=0, pending=0, workers_polling=0)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-07-01",
        "08:00:00Z",
        "2026-13-01T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-07-01T24:00:01Z",
        "2026-07-01T08:00:00.Z",
        "2026-07-01T08:00:00+25:00",
        "2026-07-01T08:00:00Zulu",
        " ",
        1_782_892_800,
        True,
        ["2026-07-01T08:00:00Z"],
    ],
)
def test_what_is_no_time_makes_the_item_unreadable_and_hides_nothing_else(text: object) -> None:
    found = read(item(created_at=text), WorkItem)
    assert (found.created_at, found.unreadable) == (None, True)
    assert msgspec.structs.replace(found, created_at=read(item(), WorkItem).created_at, unreadable=False) == read(
        item(), WorkItem
    )


@pytest.mark.parametrize("tail", ["Z", ".5Z", "+00:00", ".25+08:00"])
def test_a_leap_second_is_the_second_before(tail: str) -> None:
    found = read(item(created_at=f"2026-12-31T23:59:60{tail}"), WorkItem)
    assert found == read(item(created_at=f"2026-12-31T23:59:59{tail}"), WorkItem)
    assert not found.unreadable


def test_statistics_with_a_time_that_is_none_are_an_invalid_answer() -> None:
    with pytest.raises(errors.InvalidResponse, match=r"`\$.oldest_queued_at`"):
        read({"oldest_queued_at": "yesterday"}, QueueStats)
