"""Untrusted text, made fit to be repeated in a log, on a page or in a terminal.

The API's own words may quote what they should not: the token that was refused, a work item's secret, a metadata value.
Nothing can tell a secret by its looks with certainty, so it is the other way round: what looks like prose, like an ID
or like a number may be repeated, and everything else is masked.
"""

import re

MAX_QUOTE = 200
"""Characters of an untrusted text that are repeated at most."""

MASK = "[…]"
"""Stands for what may be a secret."""

_READ = 4 * MAX_QUOTE
"""Characters of a text that are looked at at all: it may have hundreds of megabytes."""

_PROSE = re.compile(
    r"""
    (?!pt-)                             # never a personal access token
    (?:
    [^\W\d_]{0,1}[^\W\d_A-Z]{0,24}      # a word in lower case, or with one capital: "Environment", "не", "环境"
    (?:['\u2019-][^\W\d_A-Z]{1,24})?         # … or a compound one: "self-hosted", "don't"
    | [A-Z]{1,5}                        # an abbreviation: "API", "PAT", "HTTP"
    | \d{1,6}                           # a number: "404"
    | [a-z]{1,12}(?:_[a-z]{1,12}){1,4}  # a name of the API: "self_hosted", "invalid_request_error"
    | (?:env|work|sess)_[0-9a-f]{32}    # an ID
    )
    """,
    re.VERBOSE,
)

_EDGES = "\"'`.,;:!?()[]{}<>«»“”、。\u2018\u2019\uff08\uff09\uff0c\uff1a\uff1b\uff01\uff1f"
"""Punctuation around a word."""

_ERROR_TYPE = re.compile(r"[a-z]{1,20}(?:_[a-z]{1,20}){0,4}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_MEDIA_TYPE = re.compile(
    r"(?:application/(?:json|xml|problem\+json|octet-stream)|text/(?:html|plain|xml|css))"
    r"(?: ?; ?charset=(?:utf-8|UTF-8|us-ascii|iso-8859-1|ISO-8859-1))?"
)


def quote(text: str) -> str:
    """An untrusted text on one line, printable and bounded.

    Control characters, line and paragraph separators, bidirectional marks and surrogates become a replacement
    character; whatever Python takes for a space becomes one.
    """
    line = " ".join(text[:_READ].split())
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= MAX_QUOTE and len(text) <= _READ else line[: MAX_QUOTE - 1] + "…"


def prose(text: str) -> str:
    """A message of the API: quoted, with every word masked that is not plain language, a small number or an ID."""
    return quote(" ".join(_masked(word) for word in text[:_READ].split()))


def error_type(text: str) -> str:
    """The type of an error (`conventions/errors`), such as ``permission_error``."""
    return text if _ERROR_TYPE.fullmatch(text) else MASK


def request_id(text: str) -> str | None:
    """The ID of a request, or None if it cannot be one: 64 letters, digits and punctuation at most."""
    return text if _REQUEST_ID.fullmatch(text) else None


def media_type(text: str) -> str:
    """A ``Content-Type`` header, if it is one of the usual ones."""
    if not text:
        return "no content type"
    return text if _MEDIA_TYPE.fullmatch(text) else "an odd content type"


def _masked(word: str) -> str:
    core = word.strip(_EDGES)
    if not core:
        return word if len(word) <= 3 else MASK
    start = word.index(core)
    shown = core if _PROSE.fullmatch(core) else MASK
    return word[: min(start, 3)] + shown + word[start + len(core) :][:3]
