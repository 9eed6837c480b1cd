"""Warnings that repeat are logged at a bounded rate."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from exporter import repeats
from tests.support.logged import Clock, logged

log = structlog.get_logger()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(clock: Clock) -> Iterator[io.StringIO]:
    with logged(clock) as stream:
        yield stream


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def fail(environment: str = "gpu", reason: str = "server", request: int = 0) -> None:
    text = f"HTTP 503 (request {request})"
    log.warning(
        "refresh failed", environment=environment, environment_id=f"env_{environment}", reason=reason, error=text
    )


def test_ten_minutes_of_an_outage_are_a_few_lines(stream: io.StringIO, clock: Clock) -> None:
    for second in range(0, 600, 15):
        clock.now = float(second)
        for environment in ("a", "b", "c", "d"):
            fail(environment, request=second)
    assert len(lines(stream)) == 8
    assert [line.count("repeated=19") for line in lines(stream)] == [0] * 4 + [1] * 4


def test_an_outage_of_very_many_environments_is_a_few_lines_too(stream: io.StringIO, clock: Clock) -> None:
    for _ in range(3):
        for n in range(500):
            fail(f"environment-{n}")
    assert len(lines(stream)) == repeats.LINES_PER_EVENT
    clock.now = repeats.INTERVAL_SECONDS
    fail("environment-499")
    assert "similar_suppressed=" in lines(stream)[-1]
    assert len(lines(stream)) == repeats.LINES_PER_EVENT + 1


def test_another_environment_and_another_reason_are_news(stream: io.StringIO) -> None:
    fail("a")
    fail("b")
    fail("a", reason="auth")
    assert len(lines(stream)) == 3


def test_only_warnings_and_errors_are_held_back(stream: io.StringIO) -> None:
    for _ in range(5):
        log.info("read the whole list", environment="a")
        log.debug("reading", environment="a")
    assert len(lines(stream)) == 10


def test_libraries_lines_are_held_back_too(stream: io.StringIO) -> None:
    for n in range(1000):
        logging.getLogger("asyncio").error("socket.accept() out of system resource %d", n)
    assert len(lines(stream)) == 1


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    held = repeats.Repeats(clock)
    for n in range(5 * repeats.MAX_KEYS):
        held.filter(logging.LogRecord("x", logging.ERROR, "", 0, f"event {n}", None, None))
    assert len(held._same) <= repeats.MAX_KEYS + 1
    assert len(held._alike) <= repeats.MAX_KEYS + 1
