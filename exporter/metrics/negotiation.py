"""Which format and which encoding a scraper gets, by what it accepts (RFC 9110, 12.5)."""

import enum
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from prometheus_client.exposition import choose_encoder

from exporter.metrics.templates import Encoder

OPENMETRICS_VERSIONS = frozenset({"1.0.0"})
"""The versions of OpenMetrics that are served. prometheus_client would write any version's name on the same text."""

TEXT_VERSIONS = frozenset({"0.0.4", "1.0.0"})

_MAX_LENGTH = 4096
"""Characters of a header that are looked at; scrapers send a few hundred."""

_HEADERS_KEPT = 64
"""How many headers' meanings are kept: a scraper sends the same ones with each scrape."""


class Coding(enum.Enum):
    """How a response may be encoded."""

    IDENTITY = "not compressed"
    GZIP = "compressed where it is worth it"
    GZIP_ONLY = "compressed in any case"
    NONE = "not acceptable in any coding that there is"


class Accepted(NamedTuple):
    """One element of a header: what is accepted, its parameters, and its weight from 0 to 1."""

    name: str
    parameters: dict[str, str]
    weight: float


@lru_cache(_HEADERS_KEPT)
def choose_format(accept: str | None) -> tuple[Encoder, str]:
    """Return prometheus_client's encoder for the format that is accepted most, and its content type.

    OpenMetrics or the text format's version 1.0.0 where they are asked for, else text 0.0.4, also where that is not
    accepted: a scraper can say so itself, and a person sees at least something.
    """
    ranges = sorted(_accepted(accept or ""), key=lambda range_: -range_.weight)  # stable: the first of equals wins
    wanted = [range_ for range_ in ranges if range_.weight > 0 and _is_served(range_)]
    chosen = wanted[0] if wanted else Accepted("*/*", {}, 1.0)
    parameters = (f"{key}={chosen.parameters[key]}" for key in ("version", "escaping") if key in chosen.parameters)
    encoder, content_type = choose_encoder("; ".join((chosen.name, *parameters)))
    return encoder, content_type


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether the answer is to be compressed: gzip is accepted, and not less than no encoding."""
    return coding(accept_encoding) in {Coding.GZIP, Coding.GZIP_ONLY}


@lru_cache(_HEADERS_KEPT)
def coding(accept_encoding: str | None) -> Coding:
    """Return what a client leaves of gzip and identity, the codings that there are."""
    weights = {element.name: element.weight for element in _accepted(accept_encoding or "")}
    anything = weights.get("*")
    gzip = weights.get("gzip", weights.get("x-gzip", anything or 0.0))
    # Identity is acceptable unless it is excluded by its name, or by `*` without its name.
    identity = weights.get("identity", 0.0 if anything == 0.0 else None)
    if identity == 0.0:
        return Coding.GZIP_ONLY if gzip > 0 else Coding.NONE
    return Coding.GZIP if gzip > 0 and gzip >= (identity or 0.0) else Coding.IDENTITY


def _is_served(range_: Accepted) -> bool:
    """Whether a media range has a format of ours; any range of text has one, the plain one."""
    version = range_.parameters.get("version")
    match range_.name:
        case "application/openmetrics-text":
            return version is None or version in OPENMETRICS_VERSIONS
        case "text/plain":
            return version is None or version in TEXT_VERSIONS
        case name:
            return name in {"*/*", "text/*"}


def _accepted(header: str) -> Iterator[Accepted]:
    for element in header[:_MAX_LENGTH].split(","):
        name, *parts = element.split(";")
        pairs = (part.partition("=") for part in parts)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        if name := name.strip().lower():
            yield Accepted(name, parameters, _weight(parameters.get("q", "1")))


def _weight(text: str) -> float:
    """A weight that is none counts as 0: what nobody understands is not what somebody asks for."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return 0.0
    return min(float(text), 1.0)
