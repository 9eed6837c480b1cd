"""What can go wrong between the exporter and the work API, as a small tree of named exceptions.

The class is chosen by the HTTP status first and never by the message (`conventions/errors`). A message may quote what
the API said, bounded, masked and on one line (:mod:`exporter.api.words`); it never quotes what was sent.

To add a reason, a class here puts it into `REASONS` by itself; CONTRIBUTING.md says what else there is to do, and tests
compare it.
"""

from typing import ClassVar

from exporter.api.requests import Endpoint


class APIError(Exception):
    """A call to the API failed; always one of the classes below.

    Attributes:
        reason: The failure's name in ``qoder_work_refresh_failures_total``.
        transient: Whether the same call may succeed a moment later, so that it is retried.
        refusal: Whether it says that this environment is not to be read, by this account or at all.
        endpoint: The call that failed.
        status: The HTTP status, or None where no answer came.
        retry_after: Seconds the API asked to wait, or None.
        request_id: The API's ID of the request, by which its operators find it, or None.
    """

    reason: ClassVar[str]
    transient: ClassVar[bool]
    refusal: ClassVar[bool] = False

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
    transient = False


class Forbidden(APIError):
    """403: the token is good, but not for this environment or operation."""

    reason = "permission"
    transient = False
    refusal = True


class NotFound(APIError):
    """404: the environment, the work item, or (undocumented) the cursor is unknown."""

    reason = "not_found"
    transient = False
    refusal = True


class BadRequest(APIError):
    """400: the environment is not self-hosted (every work page), or (undocumented) the cursor is unknown."""

    reason = "not_self_hosted"
    transient = False
    refusal = True


class RateLimited(APIError):
    """429: a gateway holds requests back."""

    reason = "rate_limited"
    transient = True


class TimedOut(APIError):
    """No complete answer came in time, or the API said 408."""

    reason = "timeout"
    transient = True


class NetworkError(APIError):
    """The connection could not be made, or broke before the answer was complete."""

    reason = "network"
    transient = True


class ServerError(APIError):
    """5xx: the API or a gateway before it failed."""

    reason = "server"
    transient = True


class InvalidResponse(APIError):
    """The answer is not what the documentation says: no JSON, other types, odd order or status, too large."""

    reason = "invalid_response"
    transient = False


_CLASSES = tuple(APIError.__subclasses__())

REASONS: tuple[str, ...] = tuple(error.reason for error in _CLASSES)
"""Every failure's name."""

RETRIED: tuple[str, ...] = tuple(error.reason for error in _CLASSES if error.transient)
"""The names of the failures after which a request is sent again."""

REFUSALS: tuple[str, ...] = tuple(error.reason for error in _CLASSES if error.refusal)
"""The names of the failures that say that this environment is not to be read, by this account or at all."""

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
