"""A view of the fleet as exposition text, beside what prometheus_client knows of the process itself."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from exporter.metrics.families import Families, Reload, environment_families, families
from exporter.tracking.view import EnvironmentView, FleetView

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
    encoder, content_type = _encoder(accept)
    return encoder(_Once(families(view, reload, loop_lag))), content_type


def encode_environment(view: EnvironmentView, metadata_keys: Sequence[str], accept: str | None) -> tuple[bytes, str]:
    """The text of one environment alone, without its account's, the exporter's and the process's metrics."""
    encoder, content_type = _encoder(accept)
    return encoder(_Once(environment_families(view, metadata_keys), process=False)), content_type


def _encoder(accept: str | None) -> tuple[Callable[[Any], bytes], str]:
    try:
        return choose_encoder(accept or "")
    except TypeError:  # of a version that is no number
        return choose_encoder("")


class _Once:
    """What an encoder collects from: the families of one view, then those of the process, if they are wanted."""

    def __init__(self, fleet: Families, *, process: bool = True) -> None:
        self._fleet = fleet
        self._process = process

    def collect(self) -> Iterable[Metric]:
        yield from self._fleet
        if self._process:
            yield from _process.collect()
