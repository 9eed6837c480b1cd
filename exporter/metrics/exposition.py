"""A view of the fleet as exposition text, beside what prometheus_client knows of the process itself."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from exporter.metrics.families import Families, Reload, families
from exporter.tracking.view import FleetView

_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)


def encode(
    view: FleetView, accept: str | None, reload: Reload | None = None, loop_lag: float | None = None
) -> tuple[bytes, str]:
    """The text of a view and its content type: OpenMetrics where the ``Accept`` header asks for it, else text 0.0.4.

    Nothing of a view is kept: each scrape is made of one view alone.
    """
    try:
        encoder, content_type = choose_encoder(accept or "")
    except TypeError:  # of a version that is no number
        encoder, content_type = choose_encoder("")
    return encoder(_Once(families(view, reload, loop_lag))), content_type


class _Once:
    """What an encoder collects from: the families of one view, then those of the process."""

    def __init__(self, fleet: Families) -> None:
        self._fleet = fleet

    def collect(self) -> Iterable[Metric]:
        yield from self._fleet
        yield from _process.collect()
