"""The work API: one typed call an endpoint, with its token, pace, timeouts, retries and errors."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import quote as percent_encoded

import httpx
import structlog

from exporter import __version__
from exporter.api import errors, words
from exporter.api.clock import APIClock
from exporter.api.decoding import decode
from exporter.api.failures import failure_of
from exporter.api.holds import Holds
from exporter.api.http import HTTPClient
from exporter.api.inflight import ClosedError, InFlight, StuckError
from exporter.api.requests import Endpoint, RequestCounts
from exporter.api.retry import retrying
from exporter.api.shares import Shares
from exporter.api.token import CurrentToken, ExhaustedError, TokenError, TokenSource
from exporter.api.transport import UnacceptableError, open_transport
from exporter.api.types import EnvironmentPage, QueueStats, WorkItem, WorkPage

PAGE_SIZE = 100
"""The most items a page may hold (`conventions/pagination`); more is cut off or refused."""

MAX_NAMED = 10
"""Environments that one log line names at most."""

USER_AGENT = f"qoder-work-exporter/{__version__}"

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A decoded answer.

    Attributes:
        value: What the API said.
        read_at: Unix time on the API's clock at which the answer came.
        sent: When the request was sent, after all waiting for its turn.
    """

    value: T
    read_at: float
    sent: "Moment"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment on two clocks.

    Attributes:
        at: Unix time on this machine's clock, to be shown.
        since: The same on the clock of ``spans``, to measure from.
    """

    at: float
    since: float


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How to reach one account.

    Attributes:
        base_url: The API's address up to and including ``/v1/cloud``, without a trailing slash.
        token: Where the token comes from.
        requests_per_second: Most requests that may begin in any second.
        max_concurrency: Most requests under way at once.
        request_timeout: Seconds one attempt may take, from its connection to the last byte.
    """

    base_url: str
    token: TokenSource
    requests_per_second: float
    max_concurrency: int
    request_timeout: float

    @property
    def background_concurrency(self) -> int:
        """Most requests under way at once for what nobody waits for, so that a scrape always finds room."""
        return max(1, self.max_concurrency // 2)


class WorkAPI:
    """One account's view of the API.

    Every call takes a ``deadline`` on ``time.monotonic()``'s clock and raises
    :class:`exporter.api.errors.APIError` if it fails for good. The first attempt is made whatever the deadline says, as
    soon as it is its turn; none is made after it, and none while the API has asked to wait.

    A request owns its lifetime: once sent, it runs in a task of this client and ends by its own timeout, and only then
    gives back its slot. Whoever waits for it may be cancelled at any time. A call that is cancelled before its request
    was sent sends none.

    Attributes:
        restarts: How often the HTTP client was replaced because a request outlived its own timeout; a defect, if ever.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.counts = RequestCounts()
        self.clock = APIClock(now)
        self._now = now
        self._host = httpx.URL(settings.base_url).netloc.decode()
        self.restarts = 0
        self._shares = Shares(settings.max_concurrency, settings.background_concurrency, settings.requests_per_second)
        self._holds = Holds()
        self._token = CurrentToken(settings.token)
        self._transport = transport
        self._http = self._open()
        self._abandoned: list[HTTPClient] = []
        self._in_flight = InFlight(settings.request_timeout)

    def _open(self) -> HTTPClient:
        return HTTPClient(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"},
            timeout=self.settings.request_timeout,
            transport=self._transport or open_transport(self.settings.base_url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the requests under way, and close the connections."""
        await self._in_flight.close()
        for http in (*self._abandoned, self._http):
            await http.aclose()

    async def list(
        self,
        environment_id: str,
        *,
        after_id: str | None = None,
        limit: int = PAGE_SIZE,
        deadline: float,
        background: bool = False,
    ) -> Answer[WorkPage]:
        """Up to ``limit`` work items that follow ``after_id``, oldest first, or the oldest ones (`work/list`).

        Calls in the background let others go first, and leave at least half of the account's concurrency to them.
        """
        query: dict[str, str] = {"limit": str(min(limit, PAGE_SIZE))}
        if after_id is not None:
            query["after_id"] = after_id
        request = _Request("list", _work(environment_id), environment_id, query, background)
        answer = await self._read(request, WorkPage, deadline)
        _check_origin(request, answer.value.data)
        return answer

    async def get(
        self, environment_id: str, work_id: str, *, deadline: float, background: bool = False
    ) -> Answer[WorkItem]:
        """One work item (`work/get`)."""
        path = f"{_work(environment_id)}/{_segment(work_id)}"
        request = _Request("get", path, environment_id, {}, background)
        answer = await self._read(request, WorkItem, deadline)
        _check_origin(request, [answer.value])
        return answer

    async def stats(self, environment_id: str, *, deadline: float, background: bool = False) -> Answer[QueueStats]:
        """The API's own statistics of an environment's queue (`work/stats`)."""
        path = f"{_work(environment_id)}/stats"
        return await self._read(_Request("stats", path, environment_id, {}, background), QueueStats, deadline)

    async def environments(self, *, page: str | None = None, deadline: float) -> Answer[EnvironmentPage]:
        """A page of the account's environments that are not archived, newest first (`environments/list`)."""
        query = {"limit": str(PAGE_SIZE)} | ({} if page is None else {"page": page})
        request = _Request("environments", "/environments", "", query, background=False)
        answer = await self._read(request, EnvironmentPage, deadline)
        if answer.value.skipped:
            skipped = ", ".join(answer.value.skipped[:MAX_NAMED])
            log.warning("environments that cannot be read are skipped", environments=skipped)
        return answer

    async def _read(self, request: "_Request", shape: type[T], deadline: float) -> Answer[T]:
        """Send, retrying transient errors, and decode.

        An error leaves without the frames that raised it. They hold what was received, megabytes of it perhaps, and
        some of them the error itself: such a cycle stays in memory until the garbage collector gets to it.
        """
        try:
            return await self._read_retrying(request, shape, deadline)
        except errors.APIError as error:
            error.__context__ = None
            raise error.with_traceback(None)  # noqa: B904 -- it is the same error

    async def _read_retrying(self, request: "_Request", shape: type[T], deadline: float) -> Answer[T]:
        failed: errors.APIError | None = None
        try:
            response, read_at, sent = await self._attempt(request, deadline)
        except errors.APIError as error:
            failed = error
        if failed is not None:  # only now make what retries, whose first attempt that was: most requests need none
            async for attempt in retrying(deadline, self.counts.retries):
                with attempt:
                    if attempt.retry_state.attempt_number == 1:
                        raise failed
                    response, read_at, sent = await self._attempt(request, deadline)
        return Answer(decode(request.endpoint, response, shape), read_at, sent)

    async def _attempt(self, request: "_Request", deadline: float) -> tuple[httpx.Response, float, Moment]:
        """Send once; return the response, when it came on the API's clock, and when the request was sent."""
        await self._hold(request, deadline)
        response, sent = await self._send(request)
        read_at = self.clock.now()
        if response.status_code != httpx.codes.OK:
            raise self._remembered(request, failure_of(request.endpoint, response, read_at))
        return response, read_at, sent

    async def _hold(self, request: "_Request", deadline: float) -> None:
        """Wait for as long as the API asked to, also earlier calls; fail at once if that is past the deadline."""
        while (held := self._holds.left(request.environment_id)) is not None:
            seconds, error = held
            if time.monotonic() + seconds > deadline:
                message = f"the API asked to wait, for {seconds:.0f} s more: nothing was sent"
                raise type(error)(message, endpoint=request.endpoint, status=error.status, retry_after=seconds)
            await asyncio.sleep(seconds)

    def _remembered(self, request: "_Request", error: errors.APIError) -> errors.APIError:
        seconds = self._holds.remember(request.environment_id, error)
        if seconds is not None:
            log.warning(
                "the API asks to wait",
                base_url=self.settings.base_url,
                environment=request.environment_id,
                status=error.status,
                seconds=seconds,
            )
        return error

    async def _send(self, request: "_Request") -> tuple[httpx.Response, Moment]:
        """Send one request when it is its turn, and wait for its answer; also when it was sent."""
        turn = await self._shares.turn(request.environment_id, background=request.background)
        self.counts.paced_seconds += turn.paced
        # Nothing may be awaited between having a turn and starting the task that will give it back.
        http = self._http
        result = self._in_flight.start(self._exchange(http, request), turn.release, lambda: self._replace(http))
        try:
            return await result
        except StuckError:
            message = "the request outlived its timeout, and was given up"
            raise errors.TimedOut(message, endpoint=request.endpoint) from None
        except ClosedError:
            raise errors.NetworkError("the client was closed", endpoint=request.endpoint) from None

    def _replace(self, http: HTTPClient) -> None:
        """Replace an HTTP client in which something is broken: a request did not end by its timeout."""
        if http is not self._http:
            return
        self.restarts += 1
        log.error("HTTP client replaced: a request outlived its timeout", base_url=self.settings.base_url)
        self._abandoned.append(http)
        self._http = self._open()

    async def _exchange(self, http: HTTPClient, request: "_Request") -> tuple[httpx.Response, Moment]:
        """Send one request and count what became of it."""
        endpoint = request.endpoint
        try:
            token = await self._token.get()
        except ExhaustedError as error:
            raise errors.NetworkError(str(error), endpoint=endpoint) from None
        except TokenError as error:
            raise errors.Unauthenticated(str(error), endpoint=endpoint) from None
        url, headers = self.settings.base_url + request.path, {"Authorization": f"Bearer {token}"}
        sent, code = Moment(self._now(), self.clock.elapsed()), "error"
        try:
            async with asyncio.timeout(self.settings.request_timeout):
                response = await http.fetch(url, request.query, headers)
            code = str(response.status_code)
        except (TimeoutError, httpx.TimeoutException):
            message = f"no complete answer within {self.settings.request_timeout:g} s ({self._host})"
            raise errors.TimedOut(message, endpoint=endpoint) from None
        except UnacceptableError as error:
            raise errors.InvalidResponse(f"the answer is refused: {error}", endpoint=endpoint) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            message = words.quote(str(error)) or type(error).__name__
            raise errors.NetworkError(f"{message} ({self._host})", endpoint=endpoint) from None
        finally:
            self.counts.answered(endpoint, code, self.clock.elapsed() - sent.since)
        self.clock.observe(response.headers.get("date"), sent.since, self.clock.elapsed())
        self.counts.received_bytes += len(response.content)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token.refused()
        return response, sent


@dataclass(frozen=True, slots=True)
class _Request:
    """What to ask: an endpoint's path and query, for which environment, and whether nobody waits for it."""

    endpoint: Endpoint
    path: str
    environment_id: str
    query: dict[str, str]
    background: bool


def _check_origin(request: _Request, items: Sequence[WorkItem]) -> None:
    """Raise `InvalidResponse` if an item says that it belongs to another environment: counts must not be mixed."""
    if any(item.environment_id not in (None, request.environment_id) for item in items):
        raise errors.InvalidResponse("an item of another environment", endpoint=request.endpoint)


def _work(environment_id: str) -> str:
    return f"/environments/{_segment(environment_id)}/work"


def _segment(text: str) -> str:
    """One segment of a path, whatever it holds: two dots would lead elsewhere."""
    return percent_encoded(text, safe="").replace(".", "%2E")
