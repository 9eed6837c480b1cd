"""A view of the fleet as exposition text, beside what prometheus_client knows of the process itself."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from isal import isal_zlib
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric

from exporter.metrics.blocks import Blocks, Once, chunks
from exporter.metrics.families import environment_families, families
from exporter.metrics.lag import LoopLag
from exporter.metrics.negotiation import accepts_gzip, choose_format
from exporter.metrics.samples import Reload, Shape, add_rest
from exporter.metrics.table import MetricSpec
from exporter.metrics.templates import OF_THE_REST, Collected, Encoder, Recurring, Templates
from exporter.tracking.view import EnvironmentView, FleetView

GZIP_LEVEL = 2
"""Of isal's four levels the one with the smallest result, and yet five times as fast as zlib's fastest."""

SMALL = 16
"""Environments whose text takes less than a millisecond to compress: not worth the way to a thread and back, nor to be
sent in pieces."""

FORMATS_KEPT = 2
"""How many formats' texts are kept: the scrapers of one fleet ask for one, a browser or curl for another."""

TEMPLATES_KEPT = 16
"""More than there are formats. Only a configuration that is loaded again and again makes more."""

ENCODINGS_MEASURED = 8
"""How many of the last encodings tell what the next one will take."""

_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)


def encode(
    view: FleetView,
    accept: str | None,
    reload: Reload | None = None,
    loop_lag: float | None = None,
    shape: Shape | None = None,
) -> tuple[bytes, str]:
    """Return the text of a view and its content type, all of it encoded afresh by prometheus_client.

    This is the reference for :class:`Exposition`, and all that is needed to encode once.
    """
    encoder, content_type = choose_format(accept)
    return encoder(Collected(chain(families(view, reload, loop_lag, shape), _process.collect()))), content_type


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a scraper asks for.

    Attributes:
        accept: Its ``Accept`` header.
        accept_encoding: Its ``Accept-Encoding`` header.
        names: The families it wants, by their own names or those of their series (``name[]``); empty for all.
    """

    accept: str | None = None
    accept_encoding: str | None = None
    names: frozenset[str] = frozenset()

    def wants(self, family: MetricSpec | Metric) -> bool:
        """Return whether a family is asked for."""
        if not self.names or not self.names.isdisjoint((family.name, family.name.removesuffix("_total"))):
            return True  # a counter's family is named without the suffix in OpenMetrics
        series = family.series if isinstance(family, MetricSpec) else (sample.name for sample in family.samples)
        return not self.names.isdisjoint(series)


def encode_environment(view: EnvironmentView, scrape: Scrape, shape: Shape) -> tuple[bytes, str]:
    """Return the text of one environment alone, without its account's, the exporter's and the process's metrics."""
    encoder, content_type = choose_format(scrape.accept)
    return encoder(Collected(filter(scrape.wants, environment_families(view, shape)))), content_type


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scraper gets: headers, and the body; one that is not small comes piece by piece."""

    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Body:
    """A body that can be sent to many.

    Attributes:
        pieces: It, from the beginning.
        size: Its bytes, where that is known.
        small: Whether it is better sent at once.
    """

    pieces: Callable[[], Iterator[bytes]]
    size: int | None
    small: bool


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An encoding under way: of which view, and the task that makes it."""

    view: FleetView
    task: asyncio.Task[_Body]

    def shows(self, view: FleetView) -> bool:
        """Return whether its environments are as they are in another view."""
        return self.view is view or self.view.environments == view.environments


@dataclass(frozen=True, slots=True)
class _Formatted:
    """What writes one format and shape: environments, what is not theirs, and the process's families."""

    environments: Templates
    rest: Templates
    process: Recurring


class Exposition:
    """Turns views into answers; what has not changed since the last scrape is not rendered again.

    Nothing here holds up the event loop for long: rendering gives way every few milliseconds, and compression has a
    thread.

    Args:
        lag: Measures the event loop; None to show no such measurement.
    """

    def __init__(self, lag: LoopLag | None = None) -> None:
        self._lag = lag
        self._formats: OrderedDict[Hashable, _Formatted] = OrderedDict()
        self._blocks: OrderedDict[str, Blocks] = OrderedDict()
        self._under_way: dict[Hashable, list[_UnderWay]] = {}
        self._costs: deque[float] = deque(maxlen=ENCODINGS_MEASURED)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="compress")

    @property
    def cost(self) -> float:
        """The most seconds that one of the last encodings took: what to set aside of a scrape's time for the answer."""
        return max(self._costs, default=0.0)

    async def encode(
        self, view: FleetView, scrape: Scrape, *, reload: Reload | None = None, shape: Shape | None = None
    ) -> Answer:
        """Return the answer to a scrape. Scrapers that ask for the same at the same time share one encoding.

        Args:
            view: What to show.
            scrape: What is asked for.
            reload: How the configuration was last loaded.
            shape: The form of the metrics; by default, with the view's metadata keys and whole histograms.
        """
        shape = shape or Shape(view.metadata_keys)
        encoder, content_type = choose_format(scrape.accept)
        gzip = accepts_gzip(scrape.accept_encoding)
        key = (content_type, gzip, scrape.names, shape.key)
        same = self._under_way.setdefault(key, [])
        encoding = next((one for one in same if one.shows(view)), None)
        if encoding is None:
            formatted = self._format((content_type, shape.key), encoder, shape)
            blocks = self._blocks_in(formatted.environments)
            rest = _Rest(formatted, view, reload, self._lag)
            task = asyncio.create_task(self._body(blocks, rest, scrape, gzip=gzip), name="encode")
            encoding = _UnderWay(view, task)
            same.append(encoding)
            task.add_done_callback(lambda _: self._ended(key, encoding))
        body = await asyncio.shield(encoding.task)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip:
            headers["Content-Encoding"] = "gzip"
        if body.small:
            return Answer(headers, b"".join(body.pieces()))
        if body.size is not None:
            headers["Content-Length"] = str(body.size)
        return Answer(headers, _one_by_one(body.pieces()))

    async def _body(self, blocks: Blocks, rest: "_Rest", scrape: Scrape, *, gzip: bool) -> _Body:
        began = time.monotonic()
        rendered = await blocks.render(rest.view.environments)
        chosen = [index for index, section in enumerate(blocks.sections) if scrape.wants(section.spec)]
        end = rest.text(scrape)

        def pieces() -> Iterator[bytes]:
            yield from chunks(blocks.sections, rendered, chosen)
            yield end

        small = len(rendered) <= SMALL
        if gzip:
            if small:
                compressed = list(_compressed(pieces()))
            else:
                loop = asyncio.get_running_loop()
                compressed = await loop.run_in_executor(self._threads, lambda: list(_compressed(pieces())))
            body = _Body(lambda: iter(compressed), sum(map(len, compressed)), small)
        else:
            body = _Body(pieces, None, small)
        self._costs.append(time.monotonic() - began)
        return body

    def _ended(self, key: Hashable, encoding: _UnderWay) -> None:
        others = self._under_way[key]
        others.remove(encoding)
        if not others:
            del self._under_way[key]

    def _format(self, key: Hashable, encoder: Encoder, shape: Shape) -> _Formatted:
        """What writes a format and shape."""
        found = self._formats.get(key)
        if found is None:
            rest = Templates(encoder, shape, OF_THE_REST)
            found = self._formats[key] = _Formatted(Templates(encoder, shape), rest, Recurring(encoder))
        self._formats.move_to_end(key)
        while len(self._formats) > TEMPLATES_KEPT:
            self._formats.popitem(last=False)
        return found

    def _blocks_in(self, templates: Templates) -> Blocks:
        """The texts of environments; formats that do not differ for our names share them."""
        blocks = self._blocks.setdefault(templates.text, Blocks(templates))
        self._blocks.move_to_end(templates.text)
        while len(self._blocks) > FORMATS_KEPT:
            self._blocks.popitem(last=False)
        return blocks


@dataclass(frozen=True, slots=True)
class _Rest:
    """What stands after the environments: a few families, encoded for each scrape."""

    formatted: _Formatted
    view: FleetView
    reload: Reload | None
    lag: LoopLag | None

    def text(self, scrape: Scrape) -> bytes:
        templates = self.formatted.rest
        out = Once(templates)
        add_rest(out, self.view, self.reload, None if self.lag is None else self.lag.longest(time.monotonic()))
        sections = templates.sections
        chosen = [index for index, section in enumerate(sections) if scrape.wants(section.spec)]
        process = self.formatted.process.text(list(filter(scrape.wants, _process.collect())))
        return b"".join((*chunks(sections, [out.block()], chosen), process))


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    compressor = isal_zlib.compressobj(GZIP_LEVEL, wbits=16 + isal_zlib.MAX_WBITS)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()


async def _one_by_one(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
