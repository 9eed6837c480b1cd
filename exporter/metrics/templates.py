"""The text of metric families in one format, with places left for what differs.

Everything that depends on the format (names and how they are escaped, types, the order of labels, which family a
gauge histogram's sum belongs to) is what prometheus_client writes for a sample whose labels and value are marked. So it
stays the only one that knows the formats.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from operator import itemgetter

from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK, Example, Histogram
from exporter.metrics.families import Families
from exporter.metrics.labels import label_value
from exporter.metrics.samples import Shape
from exporter.metrics.table import API_REQUEST_DURATION, ENVIRONMENT, METRICS, MetricSpec

Encoder = Callable[["Collected"], bytes]
"""An encoder of prometheus_client."""

OF_ENVIRONMENTS = tuple(spec for spec in METRICS if spec.labels[:2] == ENVIRONMENT)
"""The families of which every environment has samples. They come first in the table and so in the exposition."""

OF_THE_REST = METRICS[len(OF_ENVIRONMENTS) :]
"""The families of accounts and of the exporter itself."""

_MARK = 0xE000
"""Label values of the marked sample are characters from here on, which are private and need no escaping."""
_VALUE = re.compile(r" 0\.0$", re.MULTILINE)
_PART = "\0"
"""Stands between the sections of a histogram; no label's value has it."""
_SHORT = 1_000_000
"""Counts below this are written as an integer with ``.0``; from here on the formats need an exponent."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What an encoder of prometheus_client collects from: families that are there already."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self.families


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text that begins with lines about a family and goes on with the samples of all environments.

    Attributes:
        spec: Whose samples these are; in the text format a gauge histogram has three sections.
        header: HELP and TYPE.
    """

    spec: MetricSpec
    header: bytes


class ValueTemplate:
    """The line of one sample.

    Args:
        line: The line of the marked sample.
        labels: How many labels there are.
    """

    def __init__(self, line: str, labels: int) -> None:
        marks = [chr(_MARK + index) for index in range(labels)]
        order = sorted(range(labels), key=lambda index: line.index(marks[index]))
        self._in_order = itemgetter(*order) if labels > 1 else tuple
        self._template = _VALUE.sub(" %s", line.replace("%", "%%"))
        for mark in marks:
            self._template = self._template.replace(mark, "%s")

    def line(self, labels: Sequence[str], value: float) -> str:
        """Return the line of a sample, whose labels are escaped."""
        return self._template % (*self._in_order(labels), number(value))


class HistogramTemplate:
    """The lines of one histogram: one template for all of them.

    Args:
        parts: The lines of the marked sample in each section.
        labels: How many labels there are, without ``le``.
        empty: A histogram with the same buckets.
        bounds: The bounds of the buckets that are exposed; None for all of them.
        exemplars: Whether the format and the type have room for exemplars.
    """

    def __init__(
        self,
        parts: Sequence[str],
        labels: int,
        empty: Histogram,
        bounds: tuple[float, ...] | None,
        *,
        exemplars: bool,
    ) -> None:
        self._bounds = bounds
        self._exemplars = exemplars
        text = _PART.join(parts).replace("%", "%%")
        buckets = len(empty.cumulative(bounds))  # whose lines come first
        small = _VALUE.sub(" %s", _VALUE.sub(" %d.0", text, count=buckets))
        with_exemplars = _VALUE.sub(" %s", _VALUE.sub(" %s%s", text, count=buckets))
        self._small = _Labelled(small, labels)
        self._large = _Labelled(_VALUE.sub(" %s", text), labels)
        self._with_exemplars = _Labelled(with_exemplars, labels)

    def text(self, labels: Sequence[str], histogram: Histogram) -> list[str]:
        """Return the lines of a histogram, whose labels are escaped, by section."""
        totals, examples = self._buckets(histogram)
        count = totals[-1]
        values: Sequence[str] | Sequence[int]
        if self._exemplars and examples:
            template = self._with_exemplars
            texts = [""] * (2 * len(totals))
            texts[::2] = map(number, totals)
            for index, example in examples.items():
                texts[2 * index + 1] = exemplar(example)
            values = texts
        elif count < _SHORT:
            template, values = self._small, totals
        else:
            template, values = self._large, [number(total) for total in totals]
        text = template.labelled([label.replace("%", "%%") for label in labels])
        return (text % (*values, number(count), number(histogram.sum))).split(_PART)

    def _buckets(self, histogram: Histogram) -> tuple[Sequence[int], Mapping[int, Example]]:
        """The cumulative counts, and the examples by the bucket's index."""
        if self._bounds is None:
            return list(accumulate(histogram.counts)), histogram.examples
        rows = histogram.cumulative(self._bounds)
        examples = {index: example for index, (_, _, example) in enumerate(rows) if example is not None}
        return [total for _, total, _ in rows], examples


class _Labelled:
    """A template of several lines that all have the same labels; they are put in without a look at the values."""

    def __init__(self, text: str, labels: int) -> None:
        self._pieces = re.split(f"([{chr(_MARK)}-{chr(_MARK + labels - 1)}])", text)
        self._order = [ord(mark) - _MARK for mark in self._pieces[1 : 2 * labels : 2]]
        self._lines = len(self._pieces) // (2 * labels)

    def labelled(self, labels: Sequence[str]) -> str:
        """Return the template with these labels."""
        pieces = self._pieces.copy()
        for place, index in enumerate(self._order):
            pieces[2 * place + 1 :: 2 * len(labels)] = [labels[index]] * self._lines
        return "".join(pieces)


class Templates:
    """The templates of some families in one format.

    Args:
        encoder: Writes the format.
        shape: The form of the metrics.
        specs: The families, in the order of the table.

    Attributes:
        text: What they were made of. Where it is the same, so is everything made of them.
        sections: The parts of the text, in their order.
        values: The number of its section, and the template of each family with one sample per set of labels.
        histograms: The number of its first section, and the template of each histogram.
    """

    def __init__(self, encoder: Encoder, shape: Shape, specs: Iterable[MetricSpec] = OF_ENVIRONMENTS) -> None:
        self.text = ""
        self.sections: list[Section] = []
        self.values: dict[MetricSpec, tuple[int, ValueTemplate]] = {}
        self.histograms: dict[MetricSpec, tuple[int, HistogramTemplate]] = {}
        openmetrics = encoder(Collected(())).endswith(b"# EOF\n")
        for spec in filter(shape.exposes, specs):
            first, labels = len(self.sections), len(shape.labels(spec))
            marked = _marked(encoder, spec, shape)
            self.text += marked
            parts = []
            for header, lines in _sections(marked):
                self.sections.append(Section(spec, header.encode()))
                parts.append(lines)
            if spec.type in {"histogram", "gaugehistogram"}:
                exemplars = openmetrics and spec.type == "histogram"
                template = HistogramTemplate(parts, labels, _empty(spec), shape.bounds(spec), exemplars=exemplars)
                self.histograms[spec] = first, template
            else:
                (line,) = parts
                self.values[spec] = first, ValueTemplate(line, labels)


class Recurring:
    """The text of families whose samples recur from scrape to scrape with other values, as those of a process do.

    Args:
        encoder: Writes the format.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._layout: Sequence[object] = ()
        self._template = ""

    def text(self, families: Sequence[Metric]) -> bytes:
        """Return what the encoder writes for these families."""
        samples = [sample for family in families for sample in family.samples]
        if any(sample.timestamp or sample.exemplar or sample.native_histogram for sample in samples):
            return self._encoder(Collected(families))
        layout = [
            *((family.name, family.type, family.unit, family.documentation) for family in families),
            *((sample.name, sample.labels) for sample in samples),  # each name belongs to one family
        ]
        if layout != self._layout:
            self._template, self._layout = self._of(families), layout
        return (self._template % tuple([number(sample.value) for sample in samples])).encode()

    def _of(self, families: Iterable[Metric]) -> str:
        zeros = []
        for family in families:
            zero = Metric(family.name, family.documentation, family.type, family.unit)
            zero.samples = [sample._replace(value=0.0) for sample in family.samples]
            zeros.append(zero)
        lines = self._encoder(Collected(zeros)).decode().replace("%", "%%").splitlines(keepends=True)
        return "".join(line if line.startswith("#") else _VALUE.sub(" %s", line) for line in lines)


def _marked(encoder: Encoder, spec: MetricSpec, shape: Shape) -> str:
    """Return what the encoder writes for a sample whose labels are marks and whose values are 0."""
    families = Families(shape)
    marks = tuple(chr(_MARK + index) for index in range(len(shape.labels(spec))))
    if spec.type in {"histogram", "gaugehistogram"}:
        families.add_histogram(spec, marks, _empty(spec))
    else:
        families.add(spec, marks, 0.0)
    return encoder(Collected(families)).decode().removesuffix("# EOF\n")


def _empty(spec: MetricSpec) -> Histogram:
    """Return a histogram with a family's buckets."""
    return Histogram(REQUEST_SECONDS if spec is API_REQUEST_DURATION else SECONDS_TO_A_WEEK)


def _sections(text: str) -> list[tuple[str, str]]:
    """Return the headers and samples that take turns in a text."""
    groups = groupby(text.splitlines(keepends=True), key=lambda line: line.startswith("#"))
    texts = ["".join(lines) for _, lines in groups]
    return list(zip(texts[::2], texts[1::2], strict=True))


@lru_cache(maxsize=16384)
def escaped(text: str) -> str:
    """Return what `label_value` made as it stands between the quotes of a label."""
    return _escaped(text)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """Return a sample's value as prometheus_client writes it."""
    if type(value) is int and 0 <= value < _SHORT:
        return f"{value}.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def exemplar(example: Example) -> str:
    """Return an example as it stands after a bucket."""
    if example.text is None:
        labels = ",".join(f'{name}="{_escaped(label_value(value))}"' for name, value in sorted(example.labels.items()))
        text = f" # {{{labels}}} {number(example.value)} {example.timestamp}"
        object.__setattr__(example, "text", text)  # frozen for everybody else
        return text
    return example.text
