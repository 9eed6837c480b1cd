"""How requests travel: httpx's transport over aiohttp, with bounded answers and errors in our own words.

Why aiohttp and not httpcore: docs/decisions/0001-http-transport.md.
"""

import asyncio
import functools
import os
import re
import select
import socket
import ssl
import zlib
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from exporter.api.aside import Aside
from exporter.api.certificates import trusted
from exporter.api.proxies import Proxy, proxy_for

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a body, on the wire and decompressed, beyond which it is refused.

A hundred items with the largest metadata that is documented (`conventions/schemas`: 16 pairs of 64 and 512 characters)
are less than 4 MB in UTF-8; a usual page has 60 kB.
"""

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read; the rest is cut off."""

KEEP_ALIVE = 60.0
"""Seconds for which an idle connection is kept."""


class UnacceptableError(Exception):
    """An answer that is refused whatever it says: too large, or encoded in a way that was not asked for."""


def open_transport(base_url: str) -> "Transport":
    """A transport to an address, with the proxy and the certificates that the environment variables name.

    Raises:
        VariableError: One of the variables is unusable.
    """
    proxy = proxy_for(base_url)
    secure = base_url.startswith("https:") or (proxy is not None and proxy.url.scheme == "https")
    return Transport(trusted() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), proxy)


class Transport(AiohttpTransport):
    """Sends requests, reads complete responses within bounds, and never uses a connection again that said more.

    The answers it gives are decompressed and complete. A cancelled request closes its connection.
    """

    def __init__(self, context: ssl.SSLContext, proxy: Proxy | None) -> None:
        # aiohttp hands on the Authorization header of a proxy's headers as Proxy-Authorization.
        way = None if proxy is None else httpx.Proxy(proxy.address, headers=proxy.headers)
        super().__init__(verify=context, proxy=way, client=self._make_session)
        self._named_proxy = proxy

    def _make_session(self) -> aiohttp.ClientSession:
        # No limit of its own: the account's slots are the limit, and one queue is easier to keep right than two.
        connector = _Connector(limit=0, ssl=self.ssl_context, keepalive_timeout=KEEP_ALIVE, resolver=_Resolver())
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        # Or aiohttp would send a request again by itself: past the account's pace, and counted by nobody.
        session._retry_connection = False
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the answer.

        Raises:
            httpx.TransportError: No complete answer came; the message quotes nothing that was received.
            UnacceptableError: The answer is refused.
        """
        try:
            response = await super().handle_async_request(request)
            try:
                content = await _content(response)
            except BaseException:
                _close_connection(response)  # whatever else it may hold is not waited for, nor used
                raise
            await response.aclose()
        except httpx.TransportError as error:
            raise self._explained(error, error.__cause__ or error) from error
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise self._explained(httpx.ReadError(""), error) from error
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _CONSUMED]
        return httpx.Response(response.status_code, headers=headers, content=content, request=request)

    def _explained(self, error: httpx.TransportError, cause: BaseException) -> httpx.TransportError:
        """The same failure in words of our own: aiohttp's may quote the bytes received, or a proxy's password."""
        kind, words = (type(error), str(error)) if cause is error else _explain(error, cause)
        through = "" if self._named_proxy is None else f" (through the proxy {self._named_proxy})"
        return kind(f"{words}{through}")


def _close_connection(response: httpx.Response) -> None:
    """Close the connection of an answer that is not read to its end, or is not what it should be."""
    under_way = getattr(response.stream, "_aiohttp_response", None)
    if isinstance(under_way, aiohttp.ClientResponse):
        under_way.close()


_CONSUMED = (b"content-encoding", b"transfer-encoding", b"content-length")
"""Headers that say how the body travelled, and no longer hold for what is handed on."""


_EXPLANATIONS: tuple[tuple[type[BaseException], type[httpx.TransportError], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, httpx.ConnectError, "the server's certificate is not accepted: {}"),
    (aiohttp.ClientConnectorSSLError, httpx.ConnectError, "no TLS connection: {}"),
    (aiohttp.ClientConnectorDNSError, httpx.ConnectError, "the host's name cannot be resolved: {}"),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError, "the proxy answered HTTP {}"),
    (TimeoutError, httpx.ReadTimeout, "no answer in time"),
    (aiohttp.ClientConnectorError, httpx.ConnectError, "cannot connect: {}"),
    (aiohttp.ServerDisconnectedError, httpx.ReadError, "the server closed the connection without a complete answer"),
    (OSError, httpx.ReadError, "the connection broke: {}"),
    (aiohttp.ClientPayloadError, httpx.ReadError, "the answer ended before it was complete"),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, "the answer is not valid HTTP, or its head is too large"),
    (HttpProcessingError, httpx.RemoteProtocolError, "the answer is not valid HTTP, or its head is too large"),
)
"""What aiohttp raises, most specific first; what it is to httpx; and what to call it."""


def _explain(error: httpx.TransportError, cause: BaseException) -> tuple[type[httpx.TransportError], str]:
    """What kind of failure it is, and what to call it."""
    for type_, kind, words in _EXPLANATIONS:
        if isinstance(cause, type_):
            return kind, words.format(_detail(cause))
    return type(error), f"the connection failed ({type(cause).__name__})"


def _detail(cause: BaseException) -> str:
    """The one word of a failure that may be repeated: a number, or a reason from a list that is known."""
    match cause:
        case aiohttp.ClientConnectorCertificateError(certificate_error=reason):
            return str(getattr(reason, "verify_message", type(reason).__name__))
        case aiohttp.ClientConnectorSSLError(os_error=reason):
            return str(getattr(reason, "reason", type(reason).__name__))
        case aiohttp.ClientConnectorDNSError(os_error=reason):
            return str(reason.strerror)
        case aiohttp.ClientHttpProxyError(status=status):
            return str(status)
        case OSError():
            return _errno(getattr(cause, "os_error", cause))
        case _:
            return ""


def _errno(error: OSError) -> str:
    """The system's name of an error; asyncio's own text repeats addresses, and joins several failures."""
    return os.strerror(error.errno) if error.errno else type(error).__name__


async def _content(response: httpx.Response) -> bytes:
    """The decompressed body, complete for a 200 and cut to a bound for all else.

    Raises:
        UnacceptableError: It is too large, or its encoding was not asked for.
        httpx.ReadError: The compressed data are broken or end too early.
    """
    ok = response.status_code == httpx.codes.OK
    limit = MAX_BODY if ok else MAX_ERROR_BODY
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        if not ok:
            return b""
        raise UnacceptableError("its content encoding was not asked for, or is nested")
    body = _Body(limit, compressed=encoding == "gzip")
    async for chunk in response.stream:  # type: ignore[union-attr]  # an asynchronous client has this kind
        try:
            body.add(chunk)
        except zlib.error:
            if not ok:
                break
            raise httpx.ReadError("its compressed body is broken") from None
        if body.full:
            if not ok:
                break
            raise UnacceptableError(f"it is larger than {limit // 1024} KiB")
    else:
        if ok and not body.complete:
            raise httpx.ReadError("its compressed body ends too early, or goes on after its end")
    return bytes(body.content[:limit])


class _Body:
    """A body that grows up to a limit, decompressed piece by piece so that a small bomb stays small."""

    def __init__(self, limit: int, *, compressed: bool) -> None:
        self.content = bytearray()
        self._limit = limit
        self._received = 0
        self._unzip = zlib.decompressobj(wbits=31) if compressed else None  # 31: gzip

    def add(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._unzip is not None:
            chunk = self._unzip.decompress(chunk, self._limit + 1 - len(self.content))
        self.content += chunk

    @property
    def full(self) -> bool:
        """Whether there is more than the limit, on the wire or decompressed."""
        return max(self._received, len(self.content)) > self._limit

    @property
    def complete(self) -> bool:
        """Whether the compressed data have come to their end, and nothing follows; an empty body is complete."""
        unzip = self._unzip
        return unzip is None or not self._received or (unzip.eof and not unzip.unused_data)


class _Resolver(AbstractResolver):
    """Resolves names in a thread that a resolver which swallows queries may keep for ever."""

    def __init__(self) -> None:
        self._asking: dict[tuple[str, int, int], Aside[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: It has none, or nobody knows.
        """
        asking = self._asking.setdefault((host, port, family), Aside(lambda: _resolved(host, port, family), "resolver"))
        return await asking()

    async def close(self) -> None:
        """Nothing is open."""


def _resolved(host: str, port: int, family: int) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]


class _Handler(ResponseHandler):
    """Keeps count of what a connection says, to find out whether that is more than its answer.

    aiohttp's parser swallows the beginning of a second answer without a sign, and would take the rest of it for the
    answer to the next request.
    """

    def set_response_params(self, **params: Any) -> None:
        """Begin with a new answer."""
        self.received = 0
        self.head = b""
        self.head_size: int | None = None
        self.tail = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self.received += len(data)
        if self.head_size is None and len(self.head) < MAX_HEAD:
            self.head = self.head + data if self.head else data
            end = self.head.find(b"\r\n\r\n")
            if end >= 0:
                self.head, self.head_size = self.head[:end], end + 4
        self.tail = (self.tail + data[-5:])[-5:]
        if self.received > MAX_INTERIM and self.head.startswith(b"HTTP/1.1 1") and self.transport is not None:
            self.transport.abort()  # aiohttp would go on reading interim answers for as long as they come
            return
        super().data_received(data)

    @property
    def is_exact(self) -> bool:
        """Whether exactly one final answer has been received, complete, and not a byte more; if unsure, not."""
        head, size = self.head, self.head_size
        status = _STATUS.match(head)
        if size is None or status is None or status[1].startswith(b"1"):
            return False
        length = _LENGTH.search(head)
        if status[1] in (b"204", b"304"):
            return self.received == size
        if length is not None:
            return self.received == size + int(length[1])
        return _CHUNKED.search(head) is not None and self.tail == b"0\r\n\r\n"


MAX_HEAD = 64 * 1024
"""Bytes of an answer in which its head is looked for."""

MAX_INTERIM = 1024 * 1024
"""Bytes of an answer that begins with an interim one (1xx) beyond which it is given up."""

_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d)(?: |$)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|$)", re.IGNORECASE)


class _Connector(aiohttp.TCPConnector):
    """Keeps connections for reuse, but none that has said more than its answer: that would be another's answer."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = functools.partial(_Handler, loop=self._loop)  # type: ignore[assignment]  # a subclass

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        exact = isinstance(protocol, _Handler) and protocol.is_exact
        super()._release(key, protocol, should_close=should_close or not exact)
        # Without a parser all that arrives is kept aside, and shows in `should_close`.
        protocol._parser = None

    async def _get(self, key: Any, traces: Any) -> Any:
        for protocol, _ in self._conns.get(key, ()):
            if not protocol.should_close and not _is_readable(protocol.transport):
                break
            protocol.close()  # and is passed over, as it is no longer connected
        return await super()._get(key, traces)


def _is_readable(transport: asyncio.Transport | None) -> bool:
    """Whether something lies in the socket that the event loop has not read yet: surplus bytes, or its end."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
