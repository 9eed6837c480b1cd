"""Values of query parameters, read and checked."""

from collections.abc import Mapping
from datetime import datetime

from exporter.simulator.clock import microseconds
from exporter.simulator.errors import InvalidRequestError

Query = Mapping[str, str]


def integer(query: Query, name: str, *, least: int = 1) -> int | None:
    """Return a parameter's value, None if it is left out.

    Raises:
        InvalidRequestError: It is not an integer, or below ``least``.
    """
    if name not in query:
        return None
    text = query[name]
    if text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= least:
        return int(text)
    raise InvalidRequestError(f"{name} must be a {'positive' if least else 'non-negative'} integer.", name)


def boolean(query: Query, name: str) -> bool:
    """Return whether a parameter is ``true``; left out it is not.

    Raises:
        InvalidRequestError: It is neither ``true`` nor ``false``.
    """
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise InvalidRequestError(f"{name} must be true or false.", name)
    return text == "true"


def moment(query: Query, name: str) -> int | None:
    """Return a parameter's RFC 3339 time in microseconds since the epoch, None if it is left out.

    Raises:
        InvalidRequestError: It is not such a time.
    """
    if name not in query:
        return None
    try:
        parsed = datetime.fromisoformat(query[name])
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise InvalidRequestError(f"{name} must be an RFC 3339 time.", name)
    return microseconds(parsed.timestamp())
