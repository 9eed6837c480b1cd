"""A living queue in a real Prometheus: asked by PromQL, it knows what the simulator knows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from exporter.simulator import Simulation, SimulatorThread
from tests.end_to_end.running import Exporter, Prometheus, exporter
from tests.support.waiting import eventually

TOKEN = "must-never-be-shown"
NAME = 'say "hello" to\nback\\slash, ü 任务'
SHOWN_NAME = NAME.replace("\n", "\N{REPLACEMENT CHARACTER}")
JOB = "living"
METADATA = {"job": 'nightly "report"\\', "team": "never-a-label"}

pytestmark = pytest.mark.program("prometheus")


@dataclass(frozen=True, slots=True)
class Scene:
    """One environment, and Prometheus at the other end.

    Attributes:
        simulation: The account.
        id: The environment.
        running: The exporter.
        prometheus: What scrapes it.
    """

    simulation: Simulation
    id: str
    running: Exporter
    prometheus: Prometheus

    def value(self, name: str, *matchers: str) -> float | None:
        """The newest value of a series of the environment."""
        return self.prometheus.value(self.selector(name, *matchers))

    def selector(self, name: str, *matchers: str) -> str:
        """A selector of the environment's series."""
        labels = ",".join([f'job="{JOB}"', f'environment_id="{self.id}"', *matchers])
        return f"{name}{{{labels}}}"

    def wait(self, name: str, value: float, *matchers: str) -> None:
        """Wait until a series has a value."""
        eventually(
            lambda: True if self.value(name, *matchers) == value else None,
            lambda: f"{name} to be {value}; it is {self.value(name, *matchers)}",
        )


@pytest.fixture(scope="module")
def scene(server: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An environment with three queued, two active and one stopping item, and a past, scraped every second."""
    simulation = Simulation(tokens=[TOKEN])
    environment_id = simulation.create_environment(NAME)
    simulation.create_history(environment_id, 150, metadata=[METADATA])
    now = simulation.clock.now()
    for age in (400, 100, 3):
        simulation.create_work(environment_id, created_at=now - age, metadata=METADATA)
    for lag in (20, 45):
        simulation.create_work(environment_id, state="active", created_at=now - 900, latest_heartbeat_at=now - lag)
    simulation.create_work(environment_id, state="stopping", created_at=now - 2000, latest_heartbeat_at=now - 70)
    with SimulatorThread(simulation) as api:
        config = {
            "accounts": [{"base_url": api.base_url, "token_env": "TOKEN", "page_interval": 0}],
            "scrape": {"min_interval": 0},
            "metrics": {"metadata_labels": ["job"]},
        }
        folder = tmp_path_factory.mktemp("living")
        with exporter(folder, config, {"TOKEN": TOKEN}) as running, server.scraping(JOB, running.address):
            scene = Scene(simulation, environment_id, running, server)
            scene.wait("qoder_work_history_complete", 1)
            yield scene


def test_the_items_are_counted(scene: Scene) -> None:
    counts = scene.prometheus.by("state", f"sum by (state) ({scene.selector('qoder_work_items')})")
    assert counts == dict(scene.simulation.truth(scene.id).counts)


def test_the_metadata_that_is_asked_for_is_a_label_and_no_other(scene: Scene) -> None:
    items = scene.selector("qoder_work_items", 'state="stopped"')
    assert scene.prometheus.by("metadata_job", items) == {METADATA["job"]: 150}
    assert scene.prometheus.ask(scene.selector("qoder_work_items", 'team!=""')) == []


def test_the_name_comes_through_on_one_line(scene: Scene) -> None:
    assert list(scene.prometheus.by("environment", scene.selector("qoder_work_up"))) == [SHOWN_NAME]
    assert scene.value("qoder_work_up") == 1


def test_the_ages_are_those_of_the_oldest(scene: Scene) -> None:
    truth = scene.simulation.truth(scene.id)
    oldest = min(item.created_at for item in truth.in_state("queued"))
    assert scene.value("qoder_work_oldest_queued_timestamp_seconds") == oldest
    # Both series are of one scrape, and the snapshot says when it was read.
    read_at = scene.selector("qoder_work_snapshot_timestamp_seconds")
    since = scene.selector("qoder_work_oldest_queued_timestamp_seconds")
    age = scene.selector("qoder_work_oldest_age_seconds", 'state="queued"')
    off = scene.prometheus.value(f"{age} - ignoring(state) ({read_at} - {since})")
    assert off is not None
    assert -1 < off < 10  # an item is read a little after the snapshot was begun
    stopping = scene.value("qoder_work_oldest_age_seconds", 'state="stopping"')
    assert stopping is not None
    assert stopping >= 2000 - 1


def test_the_largest_lag_is_that_of_the_latest_heartbeat(scene: Scene) -> None:
    truth = scene.simulation.truth(scene.id)
    beats = [item.latest_heartbeat_at or 0.0 for item in truth.in_state("active", "stopping")]
    assert scene.value("qoder_work_oldest_heartbeat_timestamp_seconds") == pytest.approx(min(beats), abs=1e-3)
    lag = scene.value("qoder_work_max_heartbeat_lag_seconds")
    assert lag is not None
    assert 69 <= lag <= time.time() - min(beats) + 1


def test_a_gauge_histogram_gives_quantiles_without_a_rate(scene: Scene) -> None:
    buckets = scene.selector("qoder_work_queue_age_seconds_bucket")
    assert scene.value("qoder_work_queue_age_seconds_gcount") == 3
    assert scene.value("qoder_work_queue_age_seconds_bucket", 'le="+Inf"') == 3
    assert scene.value("qoder_work_queue_age_seconds_bucket", 'le="300.0"') == 2
    total = scene.value("qoder_work_queue_age_seconds_gsum")
    assert total is not None
    assert total >= 400 + 100 + 3 - 3
    quantile = scene.prometheus.value(f"histogram_quantile(0.5, {buckets})")
    assert quantile is not None
    assert 60 < quantile <= 300
    assert scene.value("qoder_work_heartbeat_lag_seconds_gcount") == 3


def test_the_statistics_are_the_apis(scene: Scene) -> None:
    names = ("queue_depth", "queue_pending", "workers_polling")
    assert [scene.value(f"qoder_work_{name}") for name in names] == [3, 0, 0]


def test_a_series_is_known_with_its_type_and_help(scene: Scene) -> None:
    body = scene.prometheus.http.get("/api/v1/metadata").json()["data"]
    assert body["qoder_work_queue_age_seconds"][0]["type"] == "gaugehistogram"
    assert body["qoder_work_items"][0]["type"] == "gauge"
    assert body["qoder_work_created"][0]["type"] == "counter"
    assert body["qoder_work_queue_wait_seconds"][0]["help"].startswith("Time from a work item's creation")


@dataclass(frozen=True, slots=True)
class Lived:
    """An item whose whole life was watched: it waited, started, ran and drained for these seconds."""

    id: str
    session_id: str
    wait: int = 40
    startup: int = 8
    run: int = 400
    drain: int = 25


@pytest.fixture(scope="module")
def lived(scene: Scene) -> Lived:
    """An item that comes, is requeued, and goes, while Prometheus looks on; and one that vanishes."""
    scene.wait("qoder_work_created_total", 0)
    now = scene.simulation.clock.now()
    created = int(now) - 1000
    work_id = scene.simulation.create_work(scene.id, created_at=created)
    lost = scene.simulation.create_work(scene.id, state="starting", created_at=created)
    scene.wait("qoder_work_created_total", 2)
    scene.simulation.force(scene.id, work_id, "starting", acknowledged_at=created + 40)
    scene.wait("qoder_work_queue_wait_seconds_count", 1 + 1)
    scene.simulation.force(scene.id, work_id, "queued")
    scene.wait("qoder_work_requeued_total", 1)
    scene.simulation.force(
        scene.id,
        work_id,
        "stopped",
        started_at=created + 48,
        stop_requested_at=created + 423,
        stopped_at=created + 448,
    )
    scene.simulation.delete_work(scene.id, lost)
    scene.wait("qoder_work_stopped_total", 1)
    scene.wait("qoder_work_vanished_total", 1)
    (item,) = (item for item in scene.simulation.truth(scene.id).items if item.id == work_id)
    return Lived(work_id, item.data_id)


@pytest.mark.parametrize(("name", "value"), [("created", 2), ("stopped", 1), ("requeued", 1), ("vanished", 1)])
@pytest.mark.usefixtures("lived")
def test_what_happens_is_counted_from_zero(scene: Scene, name: str, value: int) -> None:
    counter = scene.selector(f"qoder_work_{name}_total")
    assert scene.prometheus.value(counter) == value
    assert scene.prometheus.value(f"min_over_time({counter}[10m])") == 0
    assert scene.prometheus.value(f"resets({counter}[10m])") == 0


@pytest.mark.parametrize(
    ("name", "seconds", "count"),
    [("queue_wait", 40, 2), ("startup", 8, 1), ("run", 400, 1), ("drain", 25, 1)],
)
def test_each_part_of_a_life_is_measured(scene: Scene, lived: Lived, name: str, seconds: int, count: int) -> None:
    assert getattr(lived, name.removeprefix("queue_")) == seconds
    assert scene.value(f"qoder_work_{name}_seconds_count") == count
    assert scene.value(f"qoder_work_{name}_seconds_sum") == seconds


@pytest.mark.parametrize(
    ("name", "seconds", "bound"),
    [("queue_wait", 40, "60.0"), ("startup", 8, "10.0"), ("run", 400, "600.0"), ("drain", 25, "30.0")],
)
def test_a_bucket_leads_to_the_item(scene: Scene, lived: Lived, name: str, seconds: int, bound: str) -> None:
    selector = scene.selector(f"qoder_work_{name}_seconds_bucket", f'le="{bound}"')
    exemplars = eventually(lambda: scene.prometheus.exemplars(selector) or None, f"an exemplar of {selector}")
    assert [(exemplar["labels"], float(exemplar["value"])) for exemplar in exemplars] == [
        ({"work_id": lived.id, "session_id": lived.session_id}, seconds)
    ]


def test_no_id_of_an_item_is_a_label(scene: Scene, lived: Lived) -> None:
    labels = scene.prometheus.http.get("/api/v1/labels").json()["data"]
    assert not {"work_id", "session_id", "worker_id"} & set(labels)
    for label in labels:
        values = scene.prometheus.http.get(f"/api/v1/label/{label}/values").json()["data"]
        assert not [value for value in values if lived.id in value or lived.session_id in value or TOKEN in value]
