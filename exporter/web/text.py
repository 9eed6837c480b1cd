"""Untrusted text, made fit to be shown."""

import msgspec

from exporter.logs import ESCAPED_JSON


def json_bytes(value: object) -> bytes:
    """A value as JSON, whose untrusted texts steer no terminal that it is written to: such characters are escaped."""
    return msgspec.json.encode(value).decode().translate(ESCAPED_JSON).encode()


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, or that reorders what is read, replaced; lines stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
