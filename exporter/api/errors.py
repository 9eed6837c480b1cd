"""What can go wrong between the exporter and the work API, as a small tree of named exceptions.

The class is chosen by the HTTP status first and never by the message (`conventions/errors`). A message may quote what
the API said, bounded and on one line; it never quotes what was sent.
"""

from typing import ClassVar

from exporter.api.requests import Endpoint

MAX_QUOTE = 200
"""Characters of the API's own words that an error repeats at most."""


class APIError(Exception):
    """A call to the API failed.

    Attributes:
        reason: The failure's name in ``qoder_work_refresh_failures_total``.
        passing: Whether the same call may succeed a moment later.
        endpoint: The call that failed.
        status: The HTTP status, or None where no answer came.
        retry_after: Seconds the API asked to wait, or None.
        request_id: The API's ID of the request, by which its operators find it, or None.
    """

    reason: ClassVar[str] = "invalid_response"
    passing: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        endpoint: Endpoint,
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{endpoint}: {message}")
        self.endpoint = endpoint
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id


class Unauthenticated(APIError):
    """401: the token is invalid or expired; or there is no token to send."""

    reason = "auth"


class Forbidden(APIError):
    """403: the token is good, but not for this environment or operation."""

    reason = "permission"


class NotFound(APIError):
    """404: the environment, the work item, or (undocumented) the cursor is unknown."""

    reason = "not_found"


class BadRequest(APIError):
    """400: the environment is not self-hosted (every work page), or (undocumented) the cursor is unknown."""

    reason = "not_self_hosted"


class RateLimited(APIError):
    """429: a gateway holds requests back."""

    reason = "rate_limited"
    passing = True


class TimedOut(APIError):
    """No whole answer came in time, or the API said 408."""

    reason = "timeout"
    passing = True


class NetworkError(APIError):
    """The connection could not be made, or broke before the answer was whole."""

    reason = "network"
    passing = True


class ServerError(APIError):
    """5xx: the API or a gateway before it failed."""

    reason = "server"
    passing = True


class InvalidResponse(APIError):
    """The answer is not what the documentation says: no JSON, other types, IDs out of order, an odd status."""


REASONS: tuple[str, ...] = (
    *(error.reason for error in (Unauthenticated, Forbidden, NotFound, BadRequest, RateLimited)),
    *(error.reason for error in (TimedOut, NetworkError, ServerError, InvalidResponse)),
)
"""Every failure's name."""

_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: TimedOut,
    429: RateLimited,
}


def for_status(status: int) -> type[APIError]:
    """The error class of an HTTP status that is not 200."""
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, InvalidResponse)


def quote(text: str) -> str:
    """A stranger's text on one line, printable and bounded."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= MAX_QUOTE else line[: MAX_QUOTE - 1] + "…"
