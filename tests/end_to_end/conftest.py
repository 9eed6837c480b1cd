"""What the end-to-end tests share: one Prometheus."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Prometheus, prometheus


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus for the tests that carry ``program("prometheus")``; each lets it scrape its own exporter."""
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running
