"""The text of each environment, kept from scrape to scrape, so that a scrape renders only what has changed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from exporter.histogram import Histogram
from exporter.metrics.labels import label_value
from exporter.metrics.samples import add_environment
from exporter.metrics.table import MetricSpec
from exporter.metrics.templates import Section, Templates, escaped
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView

SLICE_SECONDS = 0.005
"""How long rendering may keep the event loop in one go."""

KEPT_SECONDS = 300.0
"""How long the text of an environment is kept that nobody asks for."""

CHUNK_BYTES = 256 * 1024
"""Size of the chunks in which a text is compressed and sent, at the least, but for the last of a section."""

Block = tuple[bytes, ...]
"""The text of one environment, by section."""


@dataclass(slots=True)
class _Kept:
    """What is known of one environment's text.

    Attributes:
        view: What was rendered last.
        block: Its text.
        histograms: The text of each histogram, and what it shows.
        used: When it was last asked for, on ``time.monotonic()``'s clock.
    """

    view: EnvironmentView | None = None
    block: Block = ()
    histograms: "dict[MetricSpec, _KeptHistogram]" = field(default_factory=dict)
    used: float = 0.0


@dataclass(slots=True)
class _KeptHistogram:
    """A histogram and its text, by section."""

    histogram: Histogram
    text: list[bytes]


class Blocks:
    """The text of environments in one format and shape.

    Args:
        templates: How to write it.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._kept: dict[EnvironmentIdentity, _Kept] = {}
        self._pruned = time.monotonic()

    @property
    def sections(self) -> Sequence[Section]:
        """What the parts of a block belong to."""
        return self._templates.sections

    async def render(self, views: Sequence[EnvironmentView]) -> list[Block]:
        """Return the text of these environments. The event loop gets its turn every few milliseconds."""
        blocks = []
        began = time.monotonic()
        for view in views:
            blocks.append(self._block(view, began))
            if time.monotonic() - began > SLICE_SECONDS:
                await asyncio.sleep(0)
                began = time.monotonic()
        self._prune(began)
        return blocks

    def _block(self, view: EnvironmentView, now: float) -> Block:
        kept = self._kept.get(view.environment)
        if kept is None:
            kept = self._kept[view.environment] = _Kept()
        kept.used = now
        if kept.view is not view and kept.view != view:
            writer = _Writer(self._templates, view.environment, kept.histograms)
            add_environment(writer, view)
            kept.block = writer.block()
            kept.view = view
        return kept.block

    def _prune(self, now: float) -> None:
        """Forget the environments that nobody has asked for lately."""
        if now - self._pruned > KEPT_SECONDS / 10:
            self._pruned = now
            self._kept = {key: kept for key, kept in self._kept.items() if now - kept.used <= KEPT_SECONDS}


def _label(text: str) -> str:
    return escaped(label_value(text))


class _Writer:
    """Takes the samples of one environment."""

    def __init__(
        self, templates: Templates, environment: EnvironmentIdentity, histograms: dict[MetricSpec, _KeptHistogram]
    ) -> None:
        self._identity = (_label(environment.id), _label(environment.name))  # the first labels of every sample
        self._values = templates.values
        self._templates = templates.histograms
        self._histograms = histograms
        self._lines: list[list[str]] = [[] for _ in templates.sections]
        self._texts: list[tuple[int, list[bytes]]] = []

    def add(self, spec: MetricSpec, labels: tuple[str, ...], value: float | None) -> None:
        if value is not None:
            section, template = self._values[spec]
            further = labels[len(self._identity) :]
            escaped_labels = (*self._identity, *map(_label, further)) if further else self._identity
            self._lines[section].append(template.line(escaped_labels, value))

    def add_histogram(self, spec: MetricSpec, _labels: tuple[str, ...], histogram: Histogram) -> None:
        if spec not in self._templates:
            return
        section, template = self._templates[spec]
        kept = self._histograms.get(spec)
        if kept is None or kept.histogram != histogram:
            text = [part.encode() for part in template.text(self._identity, histogram)]
            kept = self._histograms[spec] = _KeptHistogram(histogram, text)
        kept.histogram = histogram  # lets go of an equal one of an older view
        self._texts.append((section, kept.text))

    def block(self) -> Block:
        block = ["".join(lines).encode() for lines in self._lines]
        for section, texts in self._texts:
            block[section : section + len(texts)] = texts
        return tuple(block)


class Once:
    """Takes samples whose text is not kept, since they differ from scrape to scrape.

    Args:
        templates: How to write them.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._lines: list[list[str]] = [[] for _ in templates.sections]

    def add(self, spec: MetricSpec, labels: tuple[str, ...], value: float | None) -> None:
        """Add a sample; None is no sample."""
        if value is not None:
            section, template = self._templates.values[spec]
            self._lines[section].append(template.line([*map(_label, labels)], value))

    def add_histogram(self, spec: MetricSpec, labels: tuple[str, ...], histogram: Histogram) -> None:
        """Add a histogram, where it is exposed at all."""
        if spec not in self._templates.histograms:
            return
        first, template = self._templates.histograms[spec]
        for section, text in enumerate(template.text([*map(_label, labels)], histogram), first):
            self._lines[section].append(text)

    def block(self) -> Block:
        """Return the text so far."""
        return tuple("".join(lines).encode() for lines in self._lines)


def chunks(sections: Sequence[Section], blocks: Sequence[Block], chosen: Sequence[int]) -> Iterator[bytes]:
    """Yield the text of these sections: the header of each, and what all environments have in it."""
    pieces: list[bytes] = []
    size = 0
    for index in chosen:
        header = sections[index].header
        for block in blocks:
            if piece := block[index]:
                if header:
                    pieces.append(header)
                    header = b""
                pieces.append(piece)
                size += len(piece)
                if size >= CHUNK_BYTES:
                    yield b"".join(pieces)
                    pieces, size = [], 0
    yield b"".join(pieces)
