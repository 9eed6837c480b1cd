"""The table of faults: what the API does, and what the exporter makes of it."""

import gzip
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType

from exporter.api.retry import MAX_RETRY_AFTER
from exporter.api.transport import MAX_BODY
from tests.api.harness import Json, item, page
from tests.api.raw import Talk, answer
from tests.faults import talks
from tests.faults.places import Place, deaf, nobody, serving, with_a_strangers_certificate
from tests.faults.talks import CHUNKED, JSON, Asked, body, changed, dated, endlessly, long_list, paged, says

OK = "ok"
"""What stands for a reason where nothing fails."""

ONE_ITEM = (item(),)
LONG_LIST = tuple(long_list())
LONG_COUNTS = {"active": 2, "queued": 1, "stopped": 247}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the API does to the list of one environment, or to whoever wants to reach it.

    Attributes:
        group: Where on the way it happens.
        name: What happens.
        talk: How a server does it.
        reason: What the failure is called; `OK` if none is.
        hangs: Whether it takes the request's whole timeout.
        counts: The items by state that are shown meanwhile, where nothing fails; states that are not named have none.
        unreadable: How many of them count as unreadable.
        held: Seconds after it during which nothing is sent to the whole account, as the API has asked for.
        overcome: Whether the exporter finds another way after it has failed so a few times.
        items: The list of the environment.
    """

    group: str
    name: str
    talk: Talk | Asked | Place
    reason: str
    hangs: bool = False
    counts: Mapping[str, int] = field(default_factory=lambda: {"active": 1})
    unreadable: int = 0
    held: float = 0.0
    overcome: bool = False
    items: tuple[Json, ...] = ONE_ITEM

    @property
    def id(self) -> str:
        """Its name in tests."""
        return f"{self.group}: {self.name}"

    @property
    def account_wide(self) -> bool:
        """Whether it keeps the neighbours on the same account from being read, too."""
        return isinstance(self.talk, Place) or self.held > 0


GOOD = body(page(item()))
HEAD, _, CONTENT = GOOD.partition(b"\r\n\r\n")
HEAD += b"\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
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


def _elsewhere(name: str, place: Place, reason: str = "network", *, hangs: bool = False) -> Fault:
    return Fault("connection", name, place, reason, hangs)


def _asks_to_wait(what: str, header: str, seconds: float) -> Fault:
    """A 429 that asks for patience, which is the account's."""
    return Fault("status", f"429 with Retry-After: {what}", _limited(header), "rate_limited", held=seconds)


def _limited(retry_after: str) -> bytes:
    return answer(b"", f"Retry-After: {retry_after}", status="429 x")


ELSEWHERE = (
    _elsewhere("a name that is not known", Place(nobody, name="")),
    _elsewhere("a resolver that does not answer", Place(nobody, name="hangs"), "timeout", hangs=True),
    _elsewhere("refused", Place(nobody)),
    _elsewhere("a connection that hangs", Place(deaf), "timeout", hangs=True),
    _elsewhere("a TLS handshake that hangs", Place(serving(None), tls=True), "timeout", hangs=True),
    _elsewhere("closed in the TLS handshake", Place(serving(b""), tls=True)),
    _elsewhere("plain HTTP instead of TLS", Place(serving(answer(status="400 x")), tls=True)),
    _elsewhere("a certificate that is not trusted", Place(with_a_strangers_certificate, tls=True)),
)

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
    Fault("body", "a length below zero", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", "network"),
    Fault("body", "two lengths", answer(CONTENT, "Content-Length: 2"), "network"),
    Fault("body", "a length and chunks", says(answer(CHUNKS, "Transfer-Encoding: chunked")), "network"),
    Fault("body", "a chunk without a size", CHUNKED + b"x\r\n{}\r\n0\r\n\r\n", "network"),
    Fault("body", "a chunk larger than its size", CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", "network"),
    Fault("body", "a chunk of an absurd size", says(CHUNKED + b"f" * 40 + b"\r\n{}\r\n"), "network"),
    Fault("body", "trailers without end", endlessly(CHUNKED + CHUNKS[:-2], b"X: " + b"x" * 1000 + b"\r\n"), "network"),
    Fault("body", "chunks of a byte now and then", endlessly(CHUNKED, b"1\r\n \r\n", 0.05), "timeout", hangs=True),
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
    Fault("status", "429 with Retry-After: 0", _limited("0"), "rate_limited"),
    Fault("status", "429 with Retry-After: soon", _limited("soon"), "rate_limited"),
    Fault("status", "429 with Retry-After: -5", _limited("-5"), "rate_limited"),
    Fault(
        "status", "429 with Retry-After: a date that is past", _limited("Thu, 01 Jan 1970 00:00:00 GMT"), "rate_limited"
    ),
    _asks_to_wait("2", "2", 2),
    _asks_to_wait("a date in 9999", "Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
    _asks_to_wait("as many seconds as it takes digits to fill a header", "9" * 4000, MAX_RETRY_AFTER),
    Fault("status", "500 with HTML", answer(b"<html>", "Content-Type: text/html", status="500 x"), "server"),
    Fault("status", "500 with 20 MB", answer(b"x" * 20_000_000, status="500 x"), "server"),
    Fault(
        "status",
        "500 with a body without end",
        endlessly(CHUNKED.replace(b"200 OK", b"500 x"), b"1\r\nx\r\n" * 1000),
        "server",
    ),
    Fault(
        "status",
        "500 with a body of a byte now and then",
        endlessly(answer(b"", status="500 x", length=100_000), b" ", 0.05),
        "timeout",
        hangs=True,
    ),
)


def _shown(
    name: str, talk: bytes, counts: Mapping[str, int] = MappingProxyType({"active": 1}), unreadable: int = 0
) -> Fault:
    """An answer that is odd, and of which what can be read is shown."""
    return Fault("content", name, talk, OK, counts=counts, unreadable=unreadable)


def _listed(name: str, talk: Asked, reason: str = "invalid_response") -> Fault:
    """A list of which each page may be as it should be, but not all of them together."""
    return Fault("list", name, talk, reason, counts=LONG_COUNTS, items=LONG_LIST)


def _left_out(name: str, change: Callable[[list[Json]], list[Json]]) -> Fault:
    """A list that keeps leaving out what the API has, and knows by its ID."""
    return replace(_listed(name, changed(change)), overcome=True)


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
    Fault("content", "data of numbers", body({"data": [1, 2]}), "invalid_response"),
    Fault("content", "data of lists", body({"data": [[item()]]}), "invalid_response"),
    Fault("content", "IDs that are numbers", body({"data": [item(id=7)]}), "invalid_response"),
    Fault("content", "has_more that is a text", body(page(item()) | {"has_more": "no"}), "invalid_response"),
    Fault("content", "cursors that are numbers", body(page(item()) | {"next_page": 7}), "invalid_response"),
    Fault("content", "items without IDs", body({"data": [{"state": "queued"}]}), "invalid_response"),
    Fault("content", "items of another environment", body(page(item(environment_id="env_x"))), "invalid_response"),
    _shown("one item without an ID among others", body(page(item()) | {"data": [None, item()]}), unreadable=1),
    _shown("an unknown state", body(page(item(state="paused"))), {"paused": 1}),
    _shown("a state that is a number", body(page(item(state=7))), {"other": 1}, unreadable=1),
    _shown("a state that is null", body(page(item(state=None))), {"other": 1}, unreadable=1),
    _shown("a time that is none", body(page(item(created_at="yesterday"))), unreadable=1),
    _shown("a time that is a list", body(page(item(started_at=[1]))), unreadable=1),
    _shown("a leap second", body(page(item(created_at="2016-12-31T23:59:60Z")))),
    _shown("half an emoji", body(page(item(metadata={"job": "\ud83d"})))),
    _shown("metadata that is a text", body(page(item(metadata="job")))),
    _shown("metadata with values of any type", body(page(item(metadata={"a": 1, "b": None, "c": [{}]})))),
    _shown("a session that is a number", body(page(item(data=7)))),
    _shown("the same key twice", answer(b'{"data":[],' + CONTENT[1:], JSON)),
    _shown("the same key twice in an item", answer(CONTENT.replace(b'{"id"', b'{"state":"queued","id"'), JSON)),
    _shown("unknown fields", body(page(item(lease={"ttl": [1]})) | {"total": 1})),
    _shown("no content type", answer(CONTENT)),
)

CLOCKS = (
    Fault("clock", "a Date that is none", body(page(item()), "Date: soon"), OK),
    Fault("clock", "a Date of 1970", body(page(item()), "Date: Thu, 01 Jan 1970 00:00:00 GMT"), OK),
    Fault("clock", "a Date of 9999", body(page(item()), "Date: Fri, 31 Dec 9999 23:59:59 GMT"), OK),
    Fault("clock", "five hours ahead", dated(lambda: 18_000), OK),
    Fault("clock", "five hours behind", dated(lambda: -18_000), OK),
    Fault(
        "clock", "jumping by hours with every answer", dated(itertools.cycle((0, 18_000, -7200, 90_000)).__next__), OK
    ),
)

PAGES = (
    _listed("the first page for ever, whatever the cursor", paged(talks.first_page_for_ever)),
    _listed("the first page again after the last", paged(talks.in_a_circle)),
    _listed("empty pages, and always more", paged(lambda *_: {"data": [], "has_more": True})),
    _listed("items from the newest to the oldest", changed(lambda items: items[::-1])),
    _listed("two items exchanged", changed(lambda items: [*items[:-2], *items[:-3:-1]])),
    _listed(
        "an item of another environment among others",
        changed(lambda items: [*items, items[-1] | {"environment_id": "env_x"}]),
    ),
    _left_out("every other item left out", lambda items: items[::2]),
    _left_out("the live items left out", lambda items: [each for each in items if each["state"] == "stopped"]),
    _listed("no items at all", changed(lambda _: [])),
    _listed("each item twice", changed(lambda items: [each for each in items for _ in "12"]), OK),
    _listed("pages that overlap", paged(talks.overlapping), OK),
    _listed("pages of ten", paged(lambda query, items: talks.right(query, items, limit=10)), OK),
)

FAULTS = (*ELSEWHERE, *ON_THE_WAY, *STATUSES, *CONTENTS, *CLOCKS, *PAGES)
