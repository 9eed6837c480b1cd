"""Bodies that are not what they should be."""

from collections.abc import Mapping
from typing import Any

import msgspec

from exporter.simulator.faults import GarbageContent

CURSORS = ("page", "after_id", "before_id")
JSON = "application/json"

_HTML = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body>Checking your browser.</body></html>"


def corrupt(content: GarbageContent, body: bytes, query: Mapping[str, str]) -> tuple[bytes, str]:
    """Return the corrupted body and its content type.

    Args:
        content: How to corrupt it.
        body: The right body, JSON.
        query: The request's query.
    """
    match content:
        case "html":
            return _HTML, "text/html; charset=utf-8"
        case "empty":
            return b"", JSON
        case "null":
            return b"null", JSON
        case "invalid_json":
            return body[: len(body) // 2] + b'"', JSON
        case "wrong_types":
            return msgspec.json.encode(_with_wrong_types(msgspec.json.decode(body))), JSON
        case _:
            return msgspec.json.encode(_corrupt_page(content, msgspec.json.decode(body), query)), JSON


def _with_wrong_types(value: Any) -> Any:
    """Return the same fields, each with a value of another type; containers that hold objects keep their shape."""
    if isinstance(value, dict):
        return {key: _with_wrong_types(inner) for key, inner in value.items()}
    if isinstance(value, list) and value:
        return [_with_wrong_types(inner) for inner in value]
    if isinstance(value, str):
        return [len(value)]
    return "wrong"


def _corrupt_page(content: str, page: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    used = next((query[name] for name in CURSORS if query.get(name)), page.get("first_id"))
    match content:
        case "repeated_page":
            return page | {"has_more": True, "next_page": page["data"][-1]["id"] if page["data"] else None}
        case "stuck_cursor":
            return page | {"has_more": True, "next_page": used, "last_id": used}
        case "no_cursor":
            return page | {"has_more": True, "next_page": None, "last_id": None}
        case "duplicates":
            return page | {"data": [item for item in page["data"] for _ in range(2)]}
        case _:
            return page | {"data": page["data"][::-1]}
