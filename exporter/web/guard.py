"""What stands before every request: rate limit, password, origin; and the headers of every response."""

import ipaddress
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.auth import Busy, Passwords
from exporter.web.paths import OPEN_PATHS
from exporter.web.security import Rate, Security

STRICT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
}
"""Of every response that does not set them itself."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger()


class Guard:
    """An application that only those use who may.

    Health and readiness are open to all and at any rate. Whoever runs the exporter asks for them without a password,
    and they say nothing else.

    Args:
        app: The application.
        security: The settings in force.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self, app: ASGIApp, security: Callable[[], Security] = Security, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._security = security
        self._clock = clock
        self._passwords = Passwords()
        self._bucket: _Bucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        security = self._security()
        refusal = None
        if scope["path"] not in OPEN_PATHS:
            refusal = self._over_rate(security.rate) or await self._unauthorized(scope, security.users)
        answer = refusal or foreign_change(scope, authenticated=bool(security.users)) or self._app
        await answer(scope, receive, _with_headers(send, security.headers))

    def _over_rate(self, rate: Rate | None) -> Response | None:
        if rate is None:
            return None
        if self._bucket is None or self._bucket.rate != rate:
            self._bucket = _Bucket(rate, self._clock)
        if self._bucket.take():
            return None
        log.warning("request refused: over the rate limit", interval=rate.interval, burst=rate.burst)
        return PlainTextResponse("Too Many Requests\n", 429)

    async def _unauthorized(self, scope: Scope, users: Mapping[str, str]) -> Response | None:
        if not users:
            return None
        authorization = Headers(scope=scope).get("Authorization")
        try:
            if await self._passwords.check(authorization, users):
                return None
        except Busy:
            log.warning("request refused: too many passwords wait to be checked")
            return PlainTextResponse("Too Many Requests\n", 429, {"Retry-After": "5"})
        if authorization is not None:
            log.warning("request refused: wrong user or password", client=_client(scope))
        challenge = 'Basic realm="qoder-work-exporter", charset="UTF-8"'
        return PlainTextResponse("Unauthorized\n", 401, {"WWW-Authenticate": challenge})


class _Bucket:
    """A token bucket.

    Args:
        rate: Its size, and how fast it fills.
        clock: Seconds.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._filled = clock()

    def take(self) -> bool:
        """Take a token if there is one."""
        now = self._clock()
        self._tokens = min(float(self.rate.burst), self._tokens + (now - self._filled) / self.rate.interval)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def foreign_change(scope: Scope, *, authenticated: bool) -> Response | None:
    """Refuse what would change something and comes from a page of another site.

    Browsers send such a request without asking, also with a password that they have stored. They say where it comes
    from, in ``Sec-Fetch-Site`` and ``Origin``; curl and other programs send neither. A page whose name has been made to
    point to this server (DNS rebinding) is of the same origin to its browser: from browsers, the ``Host`` must be an
    address or localhost, or else the request must have shown a password, which no browser has stored for that name.
    """
    headers = Headers(scope=scope)
    site, origin, host = headers.get("Sec-Fetch-Site"), headers.get("Origin"), headers.get("Host", "").lower()
    if scope["method"] in _READING or (site is None and origin is None):
        return None
    same_origin = site in {None, "same-origin", "none"} and (origin is None or _authority(origin) == host)
    if same_origin and (authenticated or _is_address(host)):
        return None
    return PlainTextResponse("Requests from pages of other sites change nothing here.\n", 403)


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    """Whether a Host header is this machine's own name for itself or an IP address, which no DNS can redirect."""
    name = _authority_host(host)
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _authority_host(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _client(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


def _with_headers(send: Send, chosen: Mapping[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            for name, value in STRICT_HEADERS.items():
                headers.setdefault(name, value)
            for name, value in chosen.items():
                headers[name] = value
        await send(message)

    return sending
