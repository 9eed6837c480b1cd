"""How long a scrape may take, by what the scraper says about its own patience."""

import math
import re

HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
"""Prometheus sends its scrape timeout in this header with every scrape."""

MAX_SECONDS = 120.0
"""The longest scrape, whatever the scraper says: a refresh may be retried for as long, and later scrapes join it."""

_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+", re.ASCII)


class BadTimeout(ValueError):
    """The scraper's header is not a positive, finite number of seconds."""


def budget(header: str | None, *, timeout: float, offset: float) -> float:
    """Seconds from now within which a scrape must be answered; never negative, above the header or `MAX_SECONDS`.

    Args:
        header: What the scraper sent as `HEADER`, or None if it sent nothing.
        timeout: The budget of a scrape without the header.
        offset: How much earlier than it asks for a scraper is answered. One that waits less than this is answered at
            once, with what is known.

    Raises:
        BadTimeout: The header makes no sense.
    """
    if header is None:
        return min(timeout, MAX_SECONDS)
    text = header.strip()
    seconds = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise BadTimeout(f"{HEADER} must be a positive number of seconds, for example 10 or 2.5")
    return max(0.0, min(seconds, MAX_SECONDS) - offset)
