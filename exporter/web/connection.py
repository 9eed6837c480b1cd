"""One client's HTTP connection, on which no wait for the client is without an end."""

import asyncio
import enum
import http
import logging
import sys
from typing import Any, cast

import h11
import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from exporter.web.limits import Limits
from exporter.web.tls import is_allowed

_READ_BYTES = 16_384
"""Read at once. h11 bounds what it keeps of an unfinished header, but only after it has buffered all that was read."""


_ERRORS = logging.getLogger("uvicorn.error.connection")
_ERRORS.setLevel(logging.ERROR)
"""uvicorn warns of each bad request in words that do not tell what it was; anybody could fill the log with them."""

log = structlog.get_logger()


class Phase(enum.Enum):
    """What a connection waits for."""

    HEADER = "the rest of a request's header"
    BODY = "the rest of a request's body"
    ANSWER = "the response, and the client to read it"
    NEXT = "the next request"


class Connection(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's HTTP/1.1 protocol with time limits for each phase, and without log lines about bad requests.

    uvicorn itself only limits the time between two requests.

    Args:
        config: uvicorn's.
        state: What the connections of one server share.
        limits: The bounds.
        allowed_names: The Subject Alternative Names of client certificates that are let in, None for all.
    """

    def __init__(
        self, config: Config, state: ServerState, limits: Limits, allowed_names: frozenset[str] | None = None
    ) -> None:
        super().__init__(config, state, app_state={})
        self.logger = _ERRORS
        self._limits = limits
        self._allowed_names = allowed_names
        self._input = memoryview(bytearray(_READ_BYTES))
        self._phase = Phase.HEADER
        self._phase_of: object = None
        self._since = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._body_bytes = 0
        self._dropping = False

    @property
    def waiting_since(self) -> float | None:
        """Since when on the loop's clock it has been the client's turn.

        None while a request is being answered, and once the connection is being closed.
        """
        return None if self._phase is Phase.ANSWER or self.transport.is_closing() else self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type] # a stream's transport, as uvicorn expects
        self._start_timer()
        certificate = transport.get_extra_info("peercert")
        if certificate and self._allowed_names is not None and not is_allowed(certificate, self._allowed_names):
            log.debug("client certificate has no allowed name", client=self.client and self.client[0])
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_timer()

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the transport puts what it reads."""
        return self._input

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self.data_received(bytes(self._input[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Parse, and begin to answer what is complete."""
        if self.transport.is_closing():  # with TLS, what was sent before the end still comes in
            return
        if self._phase in {Phase.BODY, Phase.ANSWER}:
            self._body_bytes += len(data)
            if self._body_bytes > self._limits.body_bytes:
                self._refuse(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Wait for what is left of the request, or for the next one."""
        super().on_response_complete()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; called by uvicorn while it handles h11's error."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else http.HTTPStatus.BAD_REQUEST
        self._refuse(http.HTTPStatus(hint))

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        super().timeout_keep_alive_handler()
        self._drop_soon()

    def shutdown(self) -> None:
        """Close as soon as the response under way is complete, and in time for the server to stop."""
        super().shutdown()
        self._drop_soon()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _should_upgrade(self) -> bool:
        """There are no websockets, and nothing to log about that."""
        return False

    def _follow(self) -> None:
        """Give each phase its own time."""
        phase = self._current_phase()
        if self._dropping or (phase, self.cycle) == (self._phase, self._phase_of):
            return
        if self.cycle is not self._phase_of:
            self._body_bytes = 0
        self._phase, self._phase_of, self._since = phase, self.cycle, self.loop.time()
        self._start_timer()

    @property
    def _unanswered(self) -> RequestResponseCycle | None:
        """The request that is being answered, if one is."""
        latest = cast(
            "RequestResponseCycle | None", self.cycle
        )  # None before the first request, whatever its type says
        return None if latest is None or latest.response_complete else latest

    def _current_phase(self) -> Phase:
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        if self._unanswered is not None:
            return Phase.ANSWER
        unread, _ = self.conn.trailing_data
        return Phase.HEADER if unread else Phase.NEXT

    def _start_timer(self) -> None:
        self._stop_timer()
        match self._phase:
            case Phase.HEADER:
                self._timer = self.loop.call_later(self._limits.header_seconds, self._header_is_late)
            case Phase.BODY:
                self._timer = self.loop.call_later(self._limits.body_seconds, self.abort)
            case Phase.ANSWER:
                self._timer = self.loop.call_later(self._limits.answer_seconds, self.abort)
            case Phase.NEXT:
                pass  # uvicorn's own timer runs

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _header_is_late(self) -> None:
        unread, _ = self.conn.trailing_data
        if unread:
            self._refuse(http.HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.abort()

    def _refuse(self, status: http.HTTPStatus) -> None:
        """Say why, where nothing has been said to this request yet, and close."""
        log.debug("bad request", client=self.client and self.client[0], status=status.value, phase=self._phase.name)
        if (request := self._unanswered) is not None:
            request.disconnected = True  # what the application still sends goes nowhere
            request.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._send_response(status)
        self.transport.close()
        self._drop_soon()

    def _send_response(self, status: http.HTTPStatus) -> None:
        body = f"{status.phrase}\n".encode()
        headers: list[Any] = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        request = self._unanswered
        without_body = request is not None and request.scope["method"] == "HEAD"
        events = (
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            *(() if without_body else (h11.Data(data=body),)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")

    def _drop_soon(self) -> None:
        """Closing waits until everything sent has been read; wait no longer than a moment."""
        if not self._dropping:
            self._dropping = True
            self._stop_timer()
            self._timer = self.loop.call_later(self._limits.linger_seconds, self.abort)
