"""Scrapes that are in a hurry, come together, or are under way when the exporter is told to stop."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import Latency, Simulation, SimulatorThread
from tests.end_to_end.running import OPENMETRICS, Exporter, exporter
from tests.support.waiting import PATIENCE, eventually

TOKEN = "must-never-be-shown"


@dataclass(frozen=True, slots=True)
class Scene:
    """One environment with three queued items, and the exporter on it."""

    simulation: Simulation
    id: str
    running: Exporter

    def queued(self, text: str) -> float | None:
        """How many items a scrape says are queued."""
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next(
            (
                sample.value
                for sample in samples
                if sample.name == "qoder_work_items" and sample.labels["state"] == "queued"
            ),
            None,
        )


Start = Callable[..., Scene]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the exporter on a new environment; the simulated answers are late by so many seconds."""
    with ExitStack() as stack:

        def start_scene(*, min_interval: str = "0s", latency: float = 0.0) -> Scene:
            simulation = Simulation(tokens=[TOKEN])
            environment_id = simulation.create_environment("gpu-workers")
            for _ in range(3):
                simulation.create_work(environment_id)
            if latency:
                simulation.faults.add(Latency(seconds=latency))
            api = stack.enter_context(SimulatorThread(simulation))
            account = {
                "base_url": api.base_url,
                "token_env": "TOKEN",
                "request_timeout": f"{PATIENCE}s",
                "environments": [{"id": environment_id, "name": "gpu-workers"}],
            }
            config = {"accounts": [account], "scrape": {"min_interval": min_interval, "max_staleness": "10m"}}
            running = stack.enter_context(exporter(tmp_path, config, {"TOKEN": TOKEN}))
            return Scene(simulation, environment_id, running)

        yield start_scene


def test_a_scrape_in_a_hurry_shows_what_is_known_and_the_next_one_has_the_rest(start: Start) -> None:
    scene = start(latency=3, min_interval="5m")
    hurried = scene.running.scrape(patience="0.6")
    assert scene.queued(hurried) is None
    assert "qoder_work_history_complete" in hurried
    assert "qoder_work_up" in hurried
    # No scrape waits for the refresh, and yet it goes on: what it reads is what a later scrape shows.
    shown = eventually(lambda: scene.queued(scene.running.scrape(patience="0.6")), "the refresh in the background")
    assert shown == 3


@pytest.mark.parametrize("patience", ["0.001", "0.5", "0.6"])
def test_a_scrape_is_answered_while_the_api_is_not(start: Start, patience: str) -> None:
    scene = start()
    eventually(lambda: scene.queued(scene.running.scrape()), "the first refresh")
    scene.simulation.create_work(scene.id)
    scene.simulation.faults.add(Latency(seconds=10 * PATIENCE))
    assert scene.queued(scene.running.scrape(patience=patience)) == 3


def test_scrapes_at_the_same_time_share_one_refresh(start: Start) -> None:
    scene = start()
    eventually(lambda: scene.queued(scene.running.scrape()), "the first refresh")
    scene.simulation.traffic.reset()
    scene.simulation.faults.add(Latency(seconds=2))
    with ThreadPoolExecutor(12) as scrapers:
        texts = list(scrapers.map(lambda _: scene.running.scrape(), range(12)))
    assert [scene.queued(text) for text in texts] == [3] * 12
    assert {name: sums.requests for name, sums in scene.simulation.traffic.endpoints.items()} == {
        "list": 1,
        "stats": 1,
    }


def test_data_that_are_young_enough_are_shown_again(start: Start) -> None:
    scene = start(min_interval="5m")
    eventually(lambda: scene.queued(scene.running.scrape()), "the first refresh")
    scene.running.scrape()  # what was read first of all may be read once more
    scene.simulation.traffic.reset()
    scene.simulation.create_work(scene.id)
    assert [scene.queued(scene.running.scrape()) for _ in range(5)] == [3] * 5
    assert scene.simulation.traffic.requests() == 0


def test_a_scrape_under_way_when_it_is_told_to_stop_is_answered_whole(start: Start) -> None:
    scene = start()
    eventually(lambda: scene.queued(scene.running.scrape()), "the first refresh")
    scene.simulation.traffic.reset()
    scene.simulation.faults.add(Latency(seconds=10 * PATIENCE))
    with ThreadPoolExecutor(1) as scraper:
        answer = scraper.submit(scene.running.get, accept=OPENMETRICS)
        eventually(lambda: scene.simulation.traffic.peak_in_flight or None, "the refresh to be under way")
        assert scene.running.stop() == 0
        text = answer.result().text
    assert answer.result().status_code == 200
    assert text.endswith("# EOF\n")
    assert 'state="queued"} 3.0' in text
    assert "msg=stopped" in scene.running.written
    assert "Traceback" not in scene.running.written
    with pytest.raises(httpx.ConnectError):
        scene.running.get()
