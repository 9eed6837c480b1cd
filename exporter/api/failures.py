"""From an answer that is not 200 to its named error."""

import httpx
import msgspec

from exporter.api import errors, words
from exporter.api.requests import Endpoint
from exporter.api.retry import retry_after

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises where the bytes are not what they should be; the last one for brackets without end."""


BASE_PATH = "/api/v1/cloud"
"""How every address of the API ends."""


class _ErrorBody(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class _ErrorEnvelope(msgspec.Struct, frozen=True):
    """The error envelope (`conventions/errors`); ``request_id`` is missing in older deployments."""

    error: _ErrorBody | None = None
    request_id: str | None = None


def failure_of(endpoint: Endpoint, response: httpx.Response, read_at: float) -> errors.APIError:
    """The named error of an answer that is not 200; its body may be empty, HTML, or an envelope.

    Its message repeats the error's type, the request's ID, and the API's message with everything masked in it that is
    not plain language: a gateway may quote the token that it refuses, and the API a secret.

    Args:
        endpoint: The call that failed.
        response: The answer.
        read_at: Unix time on the API's clock, against which a date in ``Retry-After`` is measured.
    """
    status = response.status_code
    try:
        envelope = msgspec.json.decode(response.content, type=_ErrorEnvelope)
    except UNREADABLE:
        envelope = _ErrorEnvelope()
    message = f"HTTP {status}"
    if response.has_redirect_location:
        message += " (redirects are not followed: they would carry the token elsewhere)"
    if envelope.error is not None and envelope.error.type:
        message += f": {words.error_type(envelope.error.type)}"
    if envelope.error is not None and envelope.error.message:
        message += f": {words.prose(envelope.error.message)}"
    if status == httpx.codes.NOT_FOUND and BASE_PATH not in response.request.url.path:
        message += f" (base_url does not end in {BASE_PATH})"
    request_id = _request_id(response, envelope)
    if request_id is not None:
        message += f" (request {request_id})"
    wait = retry_after(response.headers.get("retry-after"), read_at)
    return errors.for_status(status)(message, endpoint=endpoint, status=status, retry_after=wait, request_id=request_id)


def _request_id(response: httpx.Response, envelope: _ErrorEnvelope) -> str | None:
    """The API's ID of a request: in the body, else in a header, as the official clients look for it."""
    headers = response.headers
    found = envelope.request_id or headers.get("x-request-id") or headers.get("request-id")
    token = response.request.headers["Authorization"].removeprefix("Bearer ")
    return None if not found or token in found else words.request_id(found)
