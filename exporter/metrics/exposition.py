"""A view of the fleet as exposition text, beside what prometheus_client knows of the process itself."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from exporter.metrics.families import Families, Reload, families, label_name
from exporter.tracking.view import FleetView


class _Collector(Protocol):
    def collect(self) -> Iterable[Metric]:
        """The families to expose."""


class Exposition:
    """Turns views into text. It holds nothing of a view: each scrape is made of one alone.

    Args:
        metadata_keys: The metadata keys that are labels of ``qoder_work_items``.
    """

    def __init__(self, metadata_keys: Sequence[str] = ()) -> None:
        self.reload: Reload | None = None
        self._metadata_labels = tuple(label_name(key) for key in metadata_keys)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def encode(self, view: FleetView, accept: str | None) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics where the ``Accept`` header asks for it, else text 0.0.4."""
        encoder, content_type = choose_encoder(accept or "")
        return encoder(
            _Once([families(view, self._metadata_labels, self.reload), self._process.collect()])
        ), content_type


class _Once:
    """A collector of families that exist already."""

    def __init__(self, parts: Sequence[Families | Iterable[Metric]]) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        for part in self._parts:
            yield from part
