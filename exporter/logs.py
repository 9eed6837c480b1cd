"""Log lines on standard error: one line an event, as logfmt or JSON, from this program and its libraries alike."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from exporter.repeats import Repeats

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The levels by the names that users give and that lines show."""

FORMATS = ("logfmt", "json")

_FIRST_KEYS = ["ts", "level", "msg"]
_LEVEL_NAMES = {"warning": "warn", "critical": "error", "exception": "error"}
_TOKEN = re.compile(
    r"""
    (?<![\w-]) pt-(?![A-Za-z]{2}\b)[\w-]+         # a personal access token, not the language of Portugal or Brazil
    | (?i:\bbearer\s+) (?=\S*[\d._~+/-]\S) \S+   # what follows Bearer, unless it is a plain word
    | \beyJ[\w-]+\.[\w.-]+                        # a service account's token
    """,
    re.VERBOSE,
)
_HOSTILE = (
    *(
        code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"
    ),  # newlines are the renderers' own business
    *(0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)),  # line separators, directions
    *(0xFEFF, *range(0xD800, 0xE000), *range(0xE0000, 0xE0080)),  # byte order mark, surrogates, tags
)
"""Characters that steer a terminal, forge a line for readers that split as Python does, or hide what is written."""

_ESCAPED = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _HOSTILE}
ESCAPED_JSON = {code: json.dumps(chr(code))[1:-1] if code > 0x7F else f"\\u{code:04x}" for code in _HOSTILE}
"""As JSON writes them; the output of a JSON encoder has them in strings alone."""

MAX_VALUE = 16_384
"""Characters of one value that are written."""


def configure(
    level: str = "info",
    format_: str = "logfmt",
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send every log line of the process to one stream; call it again to change the settings.

    Args:
        level: The least level shown, of `LEVELS`. Requests served and the libraries' own events are shown at debug.
        format_: One of `FORMATS`.
        stream: Where to; standard error if None.
        clock: Seconds on a clock that never goes back, by which repeated warnings are held back.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        _mask_tokens,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format_)],
            foreign_pre_chain=shared,
        )
    )
    handler.addFilter(Repeats(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    _quieten_libraries(debug=level == "debug")


def _quieten_libraries(*, debug: bool) -> None:
    """Libraries report at info what only a developer wants, and httpcore at debug the headers of every answer."""
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.WARNING)
        logging.getLogger(name).propagate = True  # a uvicorn without an access log turns it off for all others


def _renderers(format_: str) -> list[Processor]:
    if format_ == "json":
        return [_order_keys, _bound, structlog.processors.JSONRenderer(_json)]
    return [
        _bound,
        _escape_hostile_characters,
        structlog.processors.LogfmtRenderer(key_order=_FIRST_KEYS, drop_missing=True, bool_as_flag=False),
    ]


def _add_level(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["level"] = _LEVEL_NAMES.get(method, method)
    return event


def _mask_tokens(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what looks like a token: the second line of defence, for texts of others that could hold one."""
    for key, value in event.items():
        if not (isinstance(value, int | float | None) or key.startswith("_")):  # what structlog keeps for itself
            event[key] = _TOKEN.sub("<token>", str(value))
    return event


def _bound(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut what no line needs whole."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > MAX_VALUE:
            event[key] = f"{value[:MAX_VALUE]}… ({len(value):,} characters)"
    return event


def _escape_hostile_characters(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep untrusted text from steering the terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_ESCAPED)
    return event


def _json(event: EventDict, **options: Any) -> str:
    """Write JSON whose letters can be read, whatever the language, and that has no hostile character either."""
    return json.dumps(event, ensure_ascii=False, **options).translate(ESCAPED_JSON)


def _order_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event[key] for key in (*_FIRST_KEYS, *event)}
