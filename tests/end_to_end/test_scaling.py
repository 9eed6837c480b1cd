"""The worked example of docs/scaling.md: a fleet split over two exporters and two Prometheus shards, as programs."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.dashboards.running import prometheus
from tests.end_to_end.running import exporter
from tests.support.waiting import until
from tools.drawing.query_api import Prometheus

EXAMPLE = Path("prometheus/examples/scaling")
ENVIRONMENTS = 24

pytestmark = pytest.mark.program("prometheus")


@dataclass(frozen=True, slots=True)
class Split:
    """What runs.

    Attributes:
        ids: The IDs of all environments.
        exporters: The exporters' addresses.
        shards: The Prometheus servers.
    """

    ids: set[str]
    exporters: list[str]
    shards: list[Prometheus]

    def ask(self, expression: str) -> list[list[dict[str, str]]]:
        """The labels of an expression's series, shard by shard."""
        return [[dict(series.labels) for series in shard.instant(expression, time.time())] for shard in self.shards]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Split]:
    simulation = Simulation()
    ids = {simulation.create_environment(f"environment-{n}") for n in range(ENVIRONMENTS)}
    for environment_id in ids:
        simulation.create_work(environment_id)
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(SimulatorThread(simulation))
        variables = {"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": api.base_url}
        addresses = {}
        for name in ("exporter-a", "exporter-b"):
            config = yaml.safe_load((EXAMPLE / f"{name}.yaml").read_text())
            running = stack.enter_context(exporter(tmp_path_factory.mktemp(name), config, variables))
            addresses[f"{name}:10190"] = running.address
        shards = []
        for n in (0, 1):
            text = (EXAMPLE / f"prometheus-{n}.yml").read_text()
            for name, address in addresses.items():
                text = text.replace(name, address)
            text = re.sub(r"scrape_interval: \w+", "scrape_interval: 2s", text).replace(
                "scrape_timeout: 10s", "scrape_timeout: 2s"
            )
            folder = tmp_path_factory.mktemp(f"prometheus-{n}")
            shards.append(stack.enter_context(prometheus(folder, text)))
        split = Split(ids, list(addresses.values()), shards)
        read = 'count by (environment_id) (qoder_work_items{state="queued"} == 1)'
        until(lambda: sum(map(len, split.ask(read))) == ENVIRONMENTS, lambda: f"every environment: {split.ask(read)}")
        yield split


def test_each_exporter_watches_a_share_of_the_environments(split: Split) -> None:
    watched = [
        {each["id"] for each in httpx.get(f"http://{address}/api/v1/environments").json()["environments"]}
        for address in split.exporters
    ]
    assert watched[0] | watched[1] == split.ids
    assert watched[0] & watched[1] == set()
    assert min(map(len, watched)) >= ENVIRONMENTS // 6


def test_each_shard_scrapes_a_share_of_the_environments(split: Split) -> None:
    scraped = [{labels["environment_id"] for labels in shard} for shard in split.ask("qoder_work_up == 1")]
    assert scraped[0] | scraped[1] == split.ids
    assert scraped[0] & scraped[1] == set()
    assert min(map(len, scraped)) >= ENVIRONMENTS // 6


def test_no_series_is_there_twice(split: Split) -> None:
    for shard in split.ask("count by (environment_id) (qoder_work_up) != 1"):
        assert shard == []


def test_every_target_has_a_series_of_its_own_that_says_whether_it_is_up(split: Split) -> None:
    targets = [labels["instance"] for shard in split.ask('up{job="qoder-work"} == 1') for labels in shard]
    assert len(targets) == len(set(targets)) == ENVIRONMENTS
    assert {target.partition("/")[2] for target in targets} == split.ids


def test_the_exporters_own_metrics_are_there_once(split: Split) -> None:
    until(
        lambda: sum(map(len, split.ask("qoder_exporter_environments"))) == 2,
        lambda: f"both exporters' own metrics: {split.ask('qoder_exporter_environments')}",
    )
    assert all(shard == [] for shard in split.ask('{job="qoder-work-exporter", __name__=~"qoder_work_.*"}'))


def test_the_two_files_differ_in_the_shards_number_alone() -> None:
    first, second = ((EXAMPLE / f"prometheus-{n}.yml").read_text() for n in (0, 1))
    assert first.replace("regex: '0'", "regex: '1'") == second
    assert first != second
