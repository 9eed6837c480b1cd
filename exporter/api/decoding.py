"""From the bytes of a 200 to a typed answer; one odd record hides nothing beside it.

Nearly every answer is decoded in one step. One that is not of its shape is read once more, slowly: half an emoji is
replaced, a leap second is taken back by one, a record of which something cannot be used keeps what it does give. Only
an answer that is no page, no item or no statistics at all fails.
"""

import re
from typing import Any, TypeVar

import httpx
import msgspec

from exporter.api import errors, words
from exporter.api.failures import UNREADABLE
from exporter.api.requests import Endpoint
from exporter.api.types import TIMESTAMPS, Environment, EnvironmentPage, WorkItem, WorkPage

MAX_RECORDS = 1000
"""Records of a page beyond which it is refused; no more than a hundred are ever asked for."""

OTHER = "other"
"""The state of an item whose own cannot be read."""

T = TypeVar("T")
Record = dict[str, Any]


class _Envelope(msgspec.Struct, frozen=True):
    """A page whose records are not read yet."""

    data: list[msgspec.Raw]
    has_more: bool | None = None
    next_page: str | None = None
    last_id: str | None = None


def decode(endpoint: Endpoint, response: httpx.Response, shape: type[T]) -> T:
    """Return the typed content of a 200.

    Raises:
        InvalidResponse: It is not JSON of this shape; the message says where in the answer.
    """
    try:
        try:
            return msgspec.json.decode(response.content, type=shape)
        except UNREADABLE:
            return _decode_leniently(response.content, shape)
    except UNREADABLE as error:
        kind = words.media_type(response.headers.get("content-type", ""))
        what = words.quote(str(error)) if response.content else "the body is empty"
        message = f"HTTP 200 with an unusable answer ({kind}): {what}"
        raise errors.InvalidResponse(message, endpoint=endpoint, status=response.status_code) from None


def _decode_leniently(content: bytes, shape: type[T]) -> T:
    """Return what can be read of an answer that is not of its shape.

    Raises:
        msgspec.DecodeError: It is not an answer of this kind at all.
    """
    repaired = with_whole_characters(content)
    found: object
    if shape is WorkPage:
        found = _work_page(repaired)
    elif shape is EnvironmentPage:
        found = _environment_page(repaired)
    elif shape is WorkItem and (item := _work_item(msgspec.json.decode(repaired))) is not None:
        found = item
    else:
        found = msgspec.convert(_normal(msgspec.json.decode(repaired)), type=shape)
    if not isinstance(found, shape):
        raise TypeError(f"{type(found).__name__} is no {shape.__name__}")
    return found


_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def with_whole_characters(content: bytes) -> bytes:
    """Return JSON in which each half of a surrogate pair, and each byte that is no UTF-8, is a replacement character.

    A text that was cut in the middle of an emoji is written like this by many a JSON encoder, and read by none.
    """
    text = content.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)


def _envelope(content: bytes) -> _Envelope:
    envelope = msgspec.json.decode(content, type=_Envelope)
    if len(envelope.data) > MAX_RECORDS:
        raise msgspec.ValidationError(f"{len(envelope.data)} records in one page - at `$.data`")
    return envelope


def _work_page(content: bytes) -> WorkPage:
    envelope = _envelope(content)
    items = [_record(raw, WorkItem) or _work_item(msgspec.json.decode(raw)) for raw in envelope.data]
    readable: list[WorkItem] = []
    without_id: list[str | None] = []
    for item in items:
        if item is not None and "\ufffd" not in item.id:  # one with a replaced character is none: it names nothing
            readable.append(item)
        else:
            without_id.append(readable[-1].id if readable else None)
    if items and not readable:
        raise msgspec.ValidationError("no item has an ID - at `$.data`")
    return WorkPage(readable, envelope.has_more, envelope.next_page, tuple(without_id))


def _environment_page(content: bytes) -> EnvironmentPage:
    envelope = _envelope(content)
    found: list[Environment] = []
    skipped: list[str] = []
    for raw in envelope.data:
        environment = _record(raw, Environment) or _environment(msgspec.json.decode(raw), skipped)
        if environment is not None:
            found.append(environment)
    if skipped and not found:
        raise msgspec.ValidationError("no environment can be read - at `$.data`")
    return EnvironmentPage(found, envelope.has_more, envelope.next_page, envelope.last_id, tuple(skipped))


def _record(raw: msgspec.Raw, shape: type[T]) -> T | None:
    """Return a record as it should be, or None if something is wrong with it."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError:
        return None


def _work_item(value: object) -> WorkItem | None:
    """Return an item with what it does give, or None if it has no ID; whether times or state were lost is marked."""
    given = _salvaged(value, WorkItem)
    if given.get("id") is None:
        return None
    lost = {name for name, usable in given.items() if usable is None and _is_set(value, name)}
    if given.get("state") is None:
        given["state"] = OTHER
        lost.add("state")
    return WorkItem(**given | {"unreadable": bool(lost & {"state", *TIMESTAMPS})})


def _environment(value: object, skipped: list[str]) -> Environment | None:
    """Return an environment whose ID and kind can be read; else None, and name it."""
    given = _salvaged(value, Environment)
    if given.get("id") is not None and (given.get("config") is not None or not _is_set(value, "config")):
        return Environment(**given)
    skipped.append(words.quote(str(given.get("id") or "one without an ID")))
    return None


def _salvaged(value: object, shape: type[msgspec.Struct]) -> Record:
    """Return the fields of a record that can be read, by name; None for those that are there and cannot."""
    given: Record = {}
    for field in msgspec.structs.fields(shape):
        if isinstance(value, dict) and field.encode_name in value:
            try:
                given[field.name] = msgspec.convert(_normal(value[field.encode_name]), type=field.type)
            except msgspec.ValidationError:
                given[field.name] = None
    return given


def _is_set(value: object, name: str) -> bool:
    """Whether a record says something in a field."""
    return isinstance(value, dict) and value.get(name) not in (None, "")


_LEAP_SECOND = re.compile(r"(\d\d-\d\dT\d\d:\d\d:)60(?=[.Z+-])")


def _normal(value: object) -> object:
    """Return a field, or the fields of a record, as other deployments mean it: an empty time is none."""
    if isinstance(value, dict):
        return {
            key: None if field == "" and key in TIMESTAMPS else _normal(field) if key in TIMESTAMPS else field
            for key, field in value.items()
        }
    if isinstance(value, str):
        return _LEAP_SECOND.sub(r"\g<1>59", value)
    return value
