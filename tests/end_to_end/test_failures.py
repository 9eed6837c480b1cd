"""Environments that cannot be read, beside others that can: seen by a real Prometheus, and by a single collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator import STATES, Options, Simulation, SimulatorThread
from tests.end_to_end.running import OPENMETRICS, Exporter, Json, Prometheus, exporter, once, written
from tests.support.waiting import eventually, free_port

TOKENS = {"GOOD": "good-must-never-be-shown", "WRONG": "wrong-must-never-be-shown", "NONE": "eyJ-must-never-be-shown"}
"""None looks like a personal access token, so that nothing but care keeps them out of the log."""
COUNTS = {"queued": 3, "starting": 1, "active": 4, "stopping": 2, "stopped": 130}
REASONS = {
    "cloud": "not_self_hosted",
    "unknown": "not_found",
    "theirs": "permission",
    "refused": "auth",
    "dead": "network",
}
"""The environments that cannot be read, and why."""
JOB = "failures"


@dataclass(frozen=True, slots=True)
class Scene:
    """Good and bad environments.

    Attributes:
        config: The exporter's configuration.
        running: The exporter.
        prometheus: A Prometheus that scrapes it.
    """

    config: Json
    running: Exporter
    prometheus: Prometheus


def fill(simulation: Simulation, environment_id: str) -> None:
    simulation.create_history(environment_id, COUNTS["stopped"])
    for state in STATES[:-1]:
        for _ in range(COUNTS[state]):
            simulation.create_work(environment_id, state=state)


def configuration(simulation: Simulation, base_url: str) -> Json:
    """Five environments that cannot be read, between two that can."""
    cloud = simulation.create_environment("cloud", kind="cloud")
    theirs = simulation.create_environment("theirs", forbidden=True)
    good = [simulation.create_environment(name, options=Options(secret="everywhere")) for name in ("first", "last")]
    for environment_id in good:
        fill(simulation, environment_id)
    watched = [
        *({"id": environment_id} for environment_id in good),
        {"id": cloud},
        {"id": "env_none", "name": "unknown"},
        {"id": theirs, "name": "theirs"},
    ]
    known = {"page_interval": 0, "request_timeout": "2s"}
    closed = f"http://127.0.0.1:{free_port()}/api/v1/cloud"
    return {
        "accounts": [
            {"name": "good", "base_url": base_url, "token_env": "GOOD", "environments": watched, **known},
            {
                "name": "wrong",
                "base_url": base_url,
                "token_env": "WRONG",
                "environments": [{"id": f"{good[0]}_", "name": "refused"}],
                **known,
            },
            {
                "name": "dead",
                "base_url": closed,
                "token_env": "GOOD",
                "environments": [{"id": "env_dead", "name": "dead"}],
                **known,
            },
            {"name": "undiscovered", "base_url": base_url, "token_env": "NONE", **known},
        ],
        "scrape": {"min_interval": "500ms"},
    }


@pytest.fixture(scope="module")
def scene(server: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The exporter on all of them, scraped until every failure has been counted and the rest is known."""
    folder = tmp_path_factory.mktemp("failures")
    simulation = Simulation(tokens=[TOKENS["GOOD"]])
    with SimulatorThread(simulation) as api:
        config = configuration(simulation, api.base_url)
        with exporter(folder, config, TOKENS) as running, server.scraping(JOB, running.address):
            scene = Scene(config, running, server)
            eventually(
                lambda: len(scene.prometheus.ask(f'qoder_work_refresh_failures_total{{job="{JOB}"}} > 0')) >= 5 or None,
                "every failure to be counted",
            )
            eventually(
                lambda: len(scene.prometheus.ask(f'qoder_work_history_complete{{job="{JOB}"}} == 1')) == 2 or None,
                "the other environments to be complete",
            )
            yield scene


@pytest.mark.program("prometheus")
class TestScraped:
    """What Prometheus knows."""

    def test_every_scrape_is_answered_in_time(self, scene: Scene) -> None:
        scrapes = f'count_over_time(up{{job="{JOB}"}}[10m])'
        eventually(lambda: (scene.prometheus.value(scrapes) or 0) >= 3 or None, "three scrapes")
        assert scene.prometheus.value(f'min_over_time(up{{job="{JOB}"}}[10m])') == 1

    def test_what_cannot_be_read_is_down(self, scene: Scene) -> None:
        up = scene.prometheus.by("environment", f'qoder_work_up{{job="{JOB}"}}')
        assert up == dict.fromkeys(REASONS, 0) | {"first": 1, "last": 1}

    @pytest.mark.parametrize("name", REASONS)
    def test_its_reason_is_counted_and_no_other(self, scene: Scene, name: str) -> None:
        series = f'qoder_work_refresh_failures_total{{job="{JOB}",environment="{name}"}}'
        assert set(scene.prometheus.by("reason", f"{series} > 0")) == {REASONS[name]}

    def test_the_others_have_no_failure(self, scene: Scene) -> None:
        series = f'qoder_work_refresh_failures_total{{job="{JOB}",environment=~"first|last"}}'
        assert set(scene.prometheus.by("reason", series).values()) == {0}

    def test_the_others_are_complete(self, scene: Scene) -> None:
        for name in ("first", "last"):
            items = scene.prometheus.by("state", f'qoder_work_items{{job="{JOB}",environment="{name}"}}')
            assert items == COUNTS

    @pytest.mark.parametrize("name", REASONS)
    def test_of_what_cannot_be_read_no_number_is_shown(self, scene: Scene, name: str) -> None:
        labels = f'{{job="{JOB}",environment="{name}"}}'
        for series in ("items", "oldest_age_seconds", "queue_depth", "snapshot_timestamp_seconds", "created_total"):
            assert scene.prometheus.ask(f"qoder_work_{series}{labels}") == []
        assert scene.prometheus.value(f"qoder_work_history_complete{labels}") == 0

    def test_an_account_that_cannot_look_for_environments_says_so(self, scene: Scene) -> None:
        up = scene.prometheus.by("account", f'qoder_exporter_discovery_up{{job="{JOB}"}}')
        assert up["undiscovered"] == 0
        environments = scene.prometheus.by("account", f'qoder_exporter_environments{{job="{JOB}"}}')
        assert environments == {"good": 5, "wrong": 1, "dead": 1, "undiscovered": 0}

    def test_requests_are_counted_by_what_became_of_them(self, scene: Scene) -> None:
        requests = f'qoder_api_requests_total{{job="{JOB}",endpoint="list"}}'
        codes = {(labels["account"], labels["code"]) for labels, _ in scene.prometheus.ask(requests)}
        assert codes == {
            *(("good", code) for code in ("200", "400", "403", "404")),
            *(("wrong", "401"), ("dead", "error")),
        }

    def test_only_what_may_pass_is_tried_again(self, scene: Scene) -> None:
        retries = f'qoder_api_retries_total{{job="{JOB}"}} > 0'
        assert {(labels["account"], labels["reason"]) for labels, _ in scene.prometheus.ask(retries)} == {
            ("dead", "network")
        }


@pytest.mark.program("prometheus")
class TestShown:
    """What people see."""

    def test_the_page_says_what_is_wrong(self, scene: Scene) -> None:
        page = scene.running.get("/").text
        for reason in REASONS.values():
            assert f">{reason}<" in page

    def test_the_log_says_what_is_wrong(self, scene: Scene) -> None:
        for reason in REASONS.values():
            assert f"reason={reason}" in scene.running.written
        assert "Traceback" not in scene.running.written

    def test_no_token_and_no_secret_is_anywhere(self, scene: Scene) -> None:
        pages = [scene.running.get(path, accept=OPENMETRICS).text for path in ("/metrics", "/", "/-/ready", "/nowhere")]
        pages += [scene.running.get(path).text for path in ("/metrics", "/")]
        everything = "".join((*pages, scene.running.written))
        assert "GET /metrics" in everything
        for hidden in ("must-never-be-shown", "wsk-", "Bearer"):
            assert hidden not in everything


def items(text: str) -> dict[str, dict[str, float]]:
    """The items by environment and state."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        if family.name == "qoder_work_items":
            for sample in family.samples:
                found.setdefault(sample.labels["environment"], {})[sample.labels["state"]] = sample.value
    return found


class TestOnce:
    """One collection of the same environments."""

    def test_it_fails_and_names_each_failure_and_shows_the_others(self, tmp_path: Path) -> None:
        simulation = Simulation(tokens=[TOKENS["GOOD"]])
        with SimulatorThread(simulation) as api:
            config = configuration(simulation, api.base_url)
            done = once(written(tmp_path, config), TOKENS)
        assert done.returncode == 1
        failed = [line.split(" (")[0].split(": ")[0] for line in done.stderr.splitlines()]
        assert sorted(failed) == sorted([*(f"environment {name}" for name in REASONS), "account undiscovered"])
        assert items(done.stdout) == dict.fromkeys(("first", "last"), COUNTS)
        for hidden in ("must-never-be-shown", "wsk-", "Bearer", "Traceback"):
            assert hidden not in done.stdout + done.stderr

    def test_it_succeeds_where_everything_can_be_read(self, tmp_path: Path) -> None:
        simulation = Simulation(tokens=[TOKENS["GOOD"]])
        fill(simulation, simulation.create_environment("only"))
        simulation.create_environment("cloud", kind="cloud")
        with SimulatorThread(simulation) as api:
            config = {"accounts": [{"base_url": api.base_url, "token_env": "GOOD", "page_interval": 0}]}
            done = once(written(tmp_path, config), TOKENS)
        assert (done.returncode, done.stderr) == (0, "")
        assert items(done.stdout) == {"only": COUNTS}
