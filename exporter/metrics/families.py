"""A view of the fleet as the metric families of prometheus_client: the reference of the exposition.

For one environment with a single queued item, and nothing else, the text is::

    # HELP qoder_work_items Work items now in this state. The five known states are always present, at 0 too.
    # TYPE qoder_work_items gauge
    qoder_work_items{environment="gpu-workers",environment_id="env_019e",state="queued"} 1.0
    qoder_work_items{environment="gpu-workers",environment_id="env_019e",state="starting"} 0.0
    …
    # TYPE qoder_work_oldest_age_seconds gauge
    qoder_work_oldest_age_seconds{environment="gpu-workers",environment_id="env_019e",state="queued"} 12.0
"""

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from exporter.histogram import Example, Histogram
from exporter.metrics import table
from exporter.metrics.labels import label_value
from exporter.metrics.samples import Reload, Shape, add_environment, add_rest
from exporter.metrics.table import MetricSpec
from exporter.tracking.view import EnvironmentView, FleetView


class Families:
    """Collects samples into families, in the order of the table."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._families: dict[MetricSpec, Metric] = {}

    def __iter__(self) -> Iterator[Metric]:
        return (self._families[spec] for spec in table.METRICS if spec in self._families)

    def add(self, spec: MetricSpec, labels: tuple[str, ...], value: float | None) -> None:
        """Add a sample; None is no sample."""
        if value is not None:
            family = self._family(spec)
            family.add_metric([*map(label_value, labels)], value)  # type: ignore[attr-defined]

    def add_histogram(self, spec: MetricSpec, labels: tuple[str, ...], histogram: Histogram) -> None:
        """Add the buckets of a histogram that are exposed, with their examples where the type has room for them."""
        if not self._shape.exposes(spec):
            return
        family = self._family(spec)
        rows = [(le(bound), count, example) for bound, count, example in histogram.cumulative(self._shape.bounds(spec))]
        values = [*map(label_value, labels)]
        if isinstance(family, GaugeHistogramMetricFamily):
            family.add_metric(values, [(bound, count) for bound, count, _ in rows], histogram.sum)
        elif isinstance(family, HistogramMetricFamily):
            buckets = [
                (bound, count) if example is None else (bound, count, _exemplar(example))
                for bound, count, example in rows
            ]
            family.add_metric(values, buckets, histogram.sum)

    def _family(self, spec: MetricSpec) -> Metric:
        family = self._families.get(spec)
        if family is None:
            kind = {
                "gauge": GaugeMetricFamily,
                "counter": CounterMetricFamily,
                "histogram": HistogramMetricFamily,
                "gaugehistogram": GaugeHistogramMetricFamily,
            }[spec.type]
            family = self._families[spec] = kind(spec.name, spec.help, labels=self._shape.labels(spec))
        return family


def le(bound: float) -> str:
    """Return a bucket's upper bound as every client library writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _exemplar(example: Example) -> Exemplar:
    labels = {name: label_value(value) for name, value in example.labels.items()}
    return Exemplar(labels, example.value, example.timestamp)


def families(
    view: FleetView, reload: Reload | None = None, loop_lag: float | None = None, shape: Shape | None = None
) -> Families:
    """Return all families of a view.

    Args:
        view: What to show.
        reload: How the configuration was last loaded.
        loop_lag: Longest time the event loop was held up lately, in seconds; None where nothing measures it.
        shape: The form of the metrics; by default, with the view's metadata keys and whole histograms.
    """
    out = Families(shape or Shape(view.metadata_keys))
    for environment in view.environments:
        add_environment(out, environment)
    add_rest(out, view, reload, loop_lag)
    return out


def environment_families(view: EnvironmentView, shape: Shape) -> Families:
    """Return the families of one environment alone, without its account's and the exporter's own."""
    out = Families(shape)
    add_environment(out, view)
    return out
