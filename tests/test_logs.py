"""Log lines: one an event, in either format, and never with a token."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from exporter import logs

TOKEN = "pt-must-never-be-shown"


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def log_exception(text: str) -> None:
    def fail() -> None:
        raise ValueError(text)

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")


def test_logfmt_has_time_level_and_message_first() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.get_logger().warning("refresh failed", environment="gpu workers", attempts=2, final=True)
    (line,) = lines(stream)
    time, rest = line.split(" ", 1)
    assert time.startswith("ts=2")
    assert time.endswith("Z")
    assert rest == 'level=warn msg="refresh failed" environment="gpu workers" attempts=2 final=true'


def test_json_has_the_same_keys() -> None:
    stream = io.StringIO()
    logs.configure(format_="json", stream=stream)
    structlog.get_logger().info("refreshed", environment="Größe", requests=2)
    (line,) = lines(stream)
    event = json.loads(line)
    assert list(event) == ["ts", "level", "msg", "environment", "requests"]
    assert event | {"ts": ""} == {"ts": "", "level": "info", "msg": "refreshed", "environment": "Größe", "requests": 2}


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_the_level_is_the_least_shown(level: str, shown: int) -> None:
    stream = io.StringIO()
    logs.configure(level=level, stream=stream)
    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert len(lines(stream)) == shown


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_a_traceback_is_one_line(format_: str) -> None:
    stream = io.StringIO()
    logs.configure(format_=format_, stream=stream)
    log_exception("no\nlines")
    (line,) = lines(stream)
    assert "Traceback" in line
    assert "ValueError" in line


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_the_libraries_lines_look_the_same(format_: str) -> None:
    stream = io.StringIO()
    logs.configure(format_=format_, stream=stream)
    logging.getLogger("uvicorn.error").warning("invalid %s", "request")
    (line,) = lines(stream)
    assert "warn" in line
    assert "invalid request" in line
    if format_ == "json":
        assert json.loads(line)["msg"] == "invalid request"
    else:
        assert 'level=warn msg="invalid request"' in line


def test_requests_served_are_shown_at_debug_alone() -> None:
    for level, count in (("info", 0), ("debug", 1)):
        stream = io.StringIO()
        logs.configure(level=level, stream=stream)
        logging.getLogger("uvicorn.access").info("GET /metrics")
        assert len(lines(stream)) == count


@pytest.mark.parametrize("format_", logs.FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"invalid token {TOKEN}.",
        "Authorization: Bearer must-never-be-shown",
        "eyJhbGciOiJIUzI1NiJ9.eyJtdXN0LW5ldmVyLWJlLXNob3duIjoxfQ.must-never-be-shown",
    ],
)
def test_what_looks_like_a_token_is_masked(format_: str, text: str) -> None:
    stream = io.StringIO()
    logs.configure(level="debug", format_=format_, stream=stream)
    structlog.get_logger().error(f"refused: {text}", detail=text)
    logging.getLogger("library").warning("refused: %s", text)
    structlog.get_logger().warning("refused", error=ValueError(text))
    log_exception(text)
    assert stream.getvalue().count("<token>") >= 5
    assert "must-never-be-shown" not in stream.getvalue()
    assert "eyJ" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "attempt-pt-1 script-pt",
        "The Bearer token is missing",
        "Bearer authentication is needed.",
        "locale pt-BR",
        "pt-pt",
    ],
)
def test_words_that_only_resemble_a_token_stay(text: str) -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.get_logger().info(text)
    assert text in stream.getvalue()


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_a_strangers_text_cannot_steer_the_terminal_or_forge_a_line(format_: str) -> None:
    stream = io.StringIO()
    logs.configure(format_=format_, stream=stream)
    structlog.get_logger().info("found", environment="a\x1b[31m\r\nts=now level=error")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


HOSTILE = (
    "\x00\x07\x08\x1b[2J\r\t\x7f\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\ud800\U000e0041"
)


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_no_hostile_character_is_written(format_: str) -> None:
    stream = io.StringIO()
    logs.configure("debug", format_=format_, stream=stream)
    structlog.get_logger().info(f"a{HOSTILE}\nb", environment=f"Größe 环境 {HOSTILE}")
    logging.getLogger("uvicorn.access").info("%s", f"GET /{HOSTILE}\n")
    text = stream.getvalue()
    assert len(text.splitlines()) == 2
    assert not set(HOSTILE.replace("[2J", "")) & set(text)
    assert "Größe 环境" in text
    text.encode()
    if format_ == "json":
        assert [json.loads(line)["msg"] for line in lines(stream)] == [f"a{HOSTILE}\nb", f"GET /{HOSTILE}\n"]


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_a_line_is_bounded(format_: str) -> None:
    stream = io.StringIO()
    logs.configure(format_=format_, stream=stream)
    structlog.get_logger().info("found", environment="x" * 10_000_000)
    assert len(stream.getvalue()) < 2 * logs.MAX_VALUE
    assert "(10,000,000 characters)" in stream.getvalue()


def test_why_a_configuration_is_not_loaded_is_told_whenever_it_is_tried() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, clock=lambda: 0.0)
    for problems in (["one"], ["one"], ["another"]):
        structlog.get_logger().error("configuration not loaded; the old one stays", problems=problems)
    assert len(lines(stream)) == 3
