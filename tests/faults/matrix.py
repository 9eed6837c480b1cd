"""The table of faults: what the API does, and what the exporter makes of it.

``python -m tests.faults`` prints it as the page ``docs/faults.md``.
"""

import asyncio
import gzip
import json
from dataclasses import dataclass
from http import HTTPStatus

from exporter.api.decoding import MAX_RECORDS
from exporter.api.inflight import GRACE
from exporter.api.retry import MAX_RETRY_AFTER
from exporter.api.token import MAX_SIZE, READ_TIMEOUT
from exporter.api.transport import MAX_BODY, MAX_ERROR_BODY, MAX_INTERIM
from exporter.api.words import MAX_QUOTE
from tests.api.harness import item, page
from tests.api.raw import Talk, answer

OK = "ok"
"""What stands for a reason where nothing fails."""

JSON = "Content-Type: application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the API does to the list of one environment.

    Attributes:
        group: Where on the way it happens.
        name: What happens.
        talk: How a server does it.
        reason: What the failure is called; `OK` if none is.
        hangs: Whether it takes the request's whole timeout.
    """

    group: str
    name: str
    talk: Talk
    reason: str
    hangs: bool = False


def says(*pieces: bytes, pause: float = 0.0, then: str = "close") -> Talk:
    """Say so many pieces, with pauses; then close the connection, reset it, or keep silent."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if then == "silence":
            await asyncio.sleep(3600)
        elif then == "reset":
            writer.transport.abort()
        else:
            writer.write_eof()

    return talk


def endlessly(first: bytes, piece: bytes, pause: float = 0.0) -> Talk:
    """Say something, and then the same for ever."""

    async def talk(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def body(value: object, *headers: str) -> bytes:
    """A 200 with this JSON."""
    return answer(json.dumps(value).encode(), JSON, *headers)


GOOD = body(page(item()))
HEAD, _, CONTENT = GOOD.partition(b"\r\n\r\n")
HEAD += b"\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DEEP = b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

REASONS = {
    **dict.fromkeys((400,), "not_self_hosted"),
    401: "auth",
    403: "permission",
    404: "not_found",
    408: "timeout",
    429: "rate_limited",
}


def _status(code: int) -> Fault:
    """A status, which alone decides."""
    names = {status.value: status.phrase for status in HTTPStatus}
    reason = REASONS.get(code, "server" if code >= 500 else "invalid_response")
    name = f"{code} {names.get(code, '')}".strip()
    return Fault("status", name, answer(b"", status=f"{code} x"), reason)


ON_THE_WAY = (
    Fault("connection", "no answer", says(then="silence"), "timeout", hangs=True),
    Fault("connection", "closed without an answer", says(), "network"),
    Fault("connection", "reset without an answer", says(then="reset"), "network"),
    Fault("head", "stops in the middle", says(HEAD[:20], then="silence"), "timeout", hangs=True),
    Fault("head", "a byte now and then", endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05), "timeout", hangs=True),
    Fault("head", "cut off", says(HEAD[:20]), "network"),
    Fault("head", "is not HTTP", says(b"SSH-2.0-OpenSSH_9.2\r\n"), "network"),
    Fault("head", "without end", endlessly(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"), "network"),
    Fault("head", "1,000 headers", answer(CONTENT, *(f"X-{n}: x" for n in range(1000))), "network"),
    Fault("head", "a header of 100 kB", answer(CONTENT, "X: " + "x" * 100_000), "network"),
    Fault("head", "one 1xx before the answer", b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD, OK),
    Fault("head", "1xx now and then", endlessly(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01), "timeout", hangs=True),
    Fault("head", "1xx without end", endlessly(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 500), "network"),
    Fault("body", "stops in the middle", says(GOOD[:-9], then="silence"), "timeout", hangs=True),
    Fault("body", "a byte now and then", endlessly(HEAD, b" ", 0.05), "timeout", hangs=True),
    Fault("body", "cut off", says(GOOD[:-9]), "network"),
    Fault("body", "reset in the middle", says(GOOD[:-9], pause=0.05, then="reset"), "network"),
    Fault("body", "longer than its length", says(answer(CONTENT + b"more", length=len(CONTENT))), "network"),
    Fault("body", "shorter than its length", says(answer(CONTENT, length=len(CONTENT) + 9)), "network"),
    Fault("body", "a length that is no number", b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", "network"),
    Fault("body", "a chunk without a size", CHUNKED + b"x\r\n{}\r\n0\r\n\r\n", "network"),
    Fault("body", "no last chunk", says(CHUNKED + b"2\r\n{}\r\n"), "network"),
    Fault("body", "chunks without end", endlessly(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"), "invalid_response"),
    Fault("body", "larger than 8 MiB", answer(b" " * (MAX_BODY + 1)), "invalid_response"),
    Fault(
        "body",
        "a gzip bomb",
        answer(gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip"),
        "invalid_response",
    ),
    Fault("body", "gzip in gzip", answer(CONTENT, "Content-Encoding: gzip, gzip"), "invalid_response"),
    Fault("body", "an encoding not asked for", answer(CONTENT, "Content-Encoding: br"), "invalid_response"),
    Fault("body", "broken gzip", answer(b"\x1f\x8bnot gzip", "Content-Encoding: gzip"), "network"),
    Fault("body", "204 with a body", answer(CONTENT, status="204 No Content"), "network"),
)

STATUSES = (
    *map(_status, (201, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 418, 422)),
    *map(_status, (429, 451, 500, 501, 502, 503, 504, 507, 511, 520, 529)),
    Fault("status", "a redirect elsewhere", answer(b"", "Location: http://[::2]/", status="302 x"), "invalid_response"),
    Fault("status", "429 with Retry-After: 0", answer(b"", "Retry-After: 0", status="429 x"), "rate_limited"),
    Fault("status", "429 with Retry-After: soon", answer(b"", "Retry-After: soon", status="429 x"), "rate_limited"),
    Fault("status", "500 with HTML", answer(b"<html>", "Content-Type: text/html", status="500 x"), "server"),
    Fault("status", "500 with 20 MB", answer(b"x" * 20_000_000, status="500 x"), "server"),
    Fault(
        "status",
        "500 with a body without end",
        endlessly(CHUNKED.replace(b"200 OK", b"500 x"), b"1\r\nx\r\n"),
        "server",
    ),
)

CONTENTS = (
    Fault("content", "empty", answer(b"", JSON), "invalid_response"),
    Fault("content", "HTML", answer(b"<html></html>", "Content-Type: text/html"), "invalid_response"),
    Fault("content", "cut JSON", answer(CONTENT[:-2], JSON), "invalid_response"),
    Fault("content", "null", body(None), "invalid_response"),
    Fault("content", "a list", body([item()]), "invalid_response"),
    Fault("content", "a text", body("work"), "invalid_response"),
    Fault("content", "no data", body({"has_more": False}), "invalid_response"),
    Fault("content", "data that is null", body({"data": None}), "invalid_response"),
    Fault("content", "data that is an object", body({"data": {}}), "invalid_response"),
    Fault("content", "nested 100,000 deep", answer(DEEP, JSON), "invalid_response"),
    Fault("content", "1,001 records", body({"data": [None] * 1001}), "invalid_response"),
    Fault("content", "items without IDs", body({"data": [{"state": "queued"}]}), "invalid_response"),
    Fault("content", "items of another environment", body(page(item(environment_id="env_x"))), "invalid_response"),
    Fault("content", "one item without an ID among others", body(page(item(), item()) | {"data": [None, item()]}), OK),
    Fault("content", "an unknown state", body(page(item(state="paused"))), OK),
    Fault("content", "a state that is a number", body(page(item(state=7))), OK),
    Fault("content", "a time that is none", body(page(item(created_at="yesterday"))), OK),
    Fault("content", "a leap second", body(page(item(created_at="2026-12-31T23:59:60Z"))), OK),
    Fault("content", "half an emoji", body(page(item(metadata={"job": "\ud83d"}))), OK),
    Fault("content", "metadata that is a text", body(page(item(metadata="job"))), OK),
    Fault("content", "the same key twice", answer(b'{"data":[],' + CONTENT[1:], JSON), OK),
    Fault("content", "unknown fields", body(page(item(lease={"ttl": [1]})) | {"total": 1}), OK),
    Fault("content", "no content type", answer(CONTENT), OK),
    Fault("content", "a Date of 1970", body(page(item()), "Date: Thu, 01 Jan 1970 00:00:00 GMT"), OK),
    Fault("content", "a Date of 9999", body(page(item()), "Date: Fri, 31 Dec 9999 23:59:59 GMT"), OK),
)

FAULTS = (*ON_THE_WAY, *STATUSES, *CONTENTS)

MEANING = {
    "connection": "Before an answer",
    "head": "The head of an answer",
    "body": "The body of an answer, on its way",
    "status": "Statuses",
    "content": "The content of a 200",
}

BOUNDS = (
    ("the body of a 200, on the wire and decompressed", f"{MAX_BODY // 2**20} MiB", "refused: `invalid_response`"),
    ("the body of any other answer", f"{MAX_ERROR_BODY // 1024} KiB", "cut; the status counts"),
    ("a line or a header of an answer", "8,190 bytes", "refused: `network`"),
    ("headers of an answer", "128", "refused: `network`"),
    ("interim answers (1xx)", f"{MAX_INTERIM // 2**20} MiB", "refused: `network`"),
    ("records of a page", f"{MAX_RECORDS:,}", "refused: `invalid_response`"),
    ("an ID", "256 characters", "the record has none: not counted"),
    ("a state", "64 characters", "`other`, and unreadable"),
    ("an environment's name", "256 characters", "its ID stands for it"),
    ("the API's words in an error", f"{MAX_QUOTE} characters", "cut; what may be a secret is masked as `[…]`"),
    ("a request ID", "64 characters", "left out"),
    ("`Retry-After`", f"{MAX_RETRY_AFTER:.0f} s", "waited for as long as this"),
    ("the file of a token", f"{MAX_SIZE // 1024} KiB, {READ_TIMEOUT:g} s", "refused: `auth`"),
    ("a request", "`request_timeout`", "`timeout`"),
    ("a request that does not end by its timeout", f"{GRACE:.0f} s more", "given up; the HTTP client is replaced"),
)
"""What is bounded, and what happens beyond the bound."""


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def documented() -> str:
    """The page of the documentation."""
    lines = [
        "# Faults",
        "",
        "<!-- Generated by `make docs` from tests/faults/matrix.py; do not edit. -->",
        "",
        "What the API may do, and what that is called in `qoder_work_refresh_failures_total`. Each row is a test over",
        "real sockets (`tests/faults`): the answer comes in time, a neighbour on the same account is served, the next",
        "request after the fault arrives and succeeds, and sockets and tasks are as before. `ok` means that nothing",
        "fails: what can be read is shown, and an item of which the state or a time cannot be read counts in",
        "`qoder_work_unreadable_items`.",
        "",
        "Before any of that: a name that is not resolved, a refused connection and an untrusted certificate are",
        "`network`; a connection or a TLS handshake that hangs is `timeout`.",
    ]
    for group, meaning in MEANING.items():
        lines += ["", f"## {meaning}", "", "| fault | reason |", "|---|---|"]
        lines += [f"| {fault.name} | `{fault.reason}` |" for fault in FAULTS if fault.group == group]
    lines += ["", "## Bounds", "", "| what | at most | beyond it |", "|---|---|---|", *map(_row, BOUNDS)]
    return "\n".join(lines) + "\n"
