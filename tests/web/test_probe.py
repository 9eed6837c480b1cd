"""One environment's metrics alone, and service discovery."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.web.app import Unchanging, create_app
from exporter.web.deadline import HEADER
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet, snapshot
from tests.web.reports import failed, succeeded


@pytest.fixture
def shown() -> FakeFleet:
    now = time.time()
    views = [
        environment(name, snapshot=snapshot(now, queued=count), outcomes=(succeeded(now),))
        for name, count in (("gpu", 3), ("ci", 5))
    ]
    return FakeFleet(fleet(*views))


@asynccontextmanager
async def client_of(shown: FakeFleet, base_url: str = "http://exporter:10190", **settings: Any) -> AsyncIterator[Any]:
    transport = httpx.ASGITransport(create_app(Unchanging(shown, web_settings(**settings))))
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


@pytest.mark.parametrize("target", ["env_gpu", "gpu"])
async def test_a_probe_shows_that_environment_alone(shown: FakeFleet, target: str) -> None:
    async with client_of(shown) as client:
        answer = await client.get("/probe", params={"target": target})
    samples = [sample for family in parse_text(answer.text) for sample in family.samples]
    assert {sample.labels["environment_id"] for sample in samples} == {"env_gpu"}
    assert all(sample.name.startswith("qoder_work_") for sample in samples)
    assert [each.value for each in samples if each.labels.get("state") == "queued"] == [3.0]
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert [only.id for only in shown.collected if only is not None] == ["env_gpu"]


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_a_probe_names_the_families_it_wants_as_a_scrape_does(shown: FakeFleet, accept: str) -> None:
    names = ["qoder_work_up", "qoder_work_queue_age_seconds_bucket", "qoder_api_retries_total"]
    async with client_of(shown) as client:
        answer = await client.get("/probe", params={"target": "gpu", "name[]": names}, headers={"Accept": accept})
        nothing = await client.get("/probe", params={"target": "gpu", "name[]": "up"}, headers={"Accept": accept})
    found = {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    # The older format has lines of their own for the sums of a gauge histogram.
    assert {re.sub("_g(count|sum)$", "", name) for name in found} == {"qoder_work_up", "qoder_work_queue_age_seconds"}
    assert [line for line in nothing.text.splitlines() if line != "# EOF"] == []


async def test_a_probe_has_a_deadline_of_its_own(shown: FakeFleet) -> None:
    async with client_of(shown, timeout_offset=0.5) as client:
        await client.get("/probe", params={"target": "gpu"}, headers={HEADER: "3"})
        refused = await client.get("/probe", params={"target": "gpu"}, headers={HEADER: "soon"})
    (budget,) = shown.budgets
    assert 2.0 < budget <= 2.5
    assert refused.status_code == 400


async def test_a_probe_waits_for_the_first_discovery(shown: FakeFleet) -> None:
    shown.ready = False
    async with client_of(shown) as client:
        answer = await client.get("/probe", params={"target": "gpu"})
    assert answer.status_code == 200
    assert shown.collected[0] is None


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "give the environment's ID or name: /probe?target="),
        ("?target=gpuu", 404, "no environment with the ID or name `gpuu` is watched; did you mean `gpu`"),
        ("?target=gpuu", 404, "others are read only where the configuration says probe.allow_any: true"),
        ("?target=%1b%5b31m", 404, "no environment with the ID or name `�[31m` is watched"),
    ],
)
async def test_an_unknown_target_is_refused_with_the_reason(
    shown: FakeFleet, query: str, status: int, words: str
) -> None:
    shown.others["gpuu"] = environment("gpuu")
    async with client_of(shown) as client:
        answer = await client.get(f"/probe{query}")
    assert answer.status_code == status
    assert words in answer.text
    assert answer.text.isprintable() or answer.text.rstrip("\n").isprintable()


async def test_any_environment_is_read_where_that_is_allowed(shown: FakeFleet) -> None:
    shown.others["env_other"] = environment("other", snapshot=snapshot(time.time(), queued=7))
    shown.others["env_gone"] = environment("gone", up=False, error="x", outcomes=(failed(0.0, "not_found", 404),))
    async with client_of(shown, probe_any=True) as client:
        answer = await client.get("/probe?target=env_other")
        assert 'qoder_work_items{environment="other",environment_id="env_other",state="queued"} 7.0' in answer.text
        gone = await client.get("/probe?target=env_gone")
        assert (gone.status_code, gone.text) == (404, "the API does not know the environment `env_gone`\n")
        unclear = await client.get("/probe?target=env_unclear")
        assert (unclear.status_code, "add account=" in unclear.text) == (404, True)
        name = await client.get("/probe?target=a%20name")
        assert (name.status_code, "can only be read by its ID" in name.text) == (404, True)


async def test_service_discovery_names_one_target_per_environment(shown: FakeFleet) -> None:
    async with client_of(shown) as client:
        answer = await client.get("/sd")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()[0] == {
        "targets": ["exporter:10190"],
        "labels": {
            "__scheme__": "http",
            "__metrics_path__": "/probe",
            "__param_target": "env_gpu",
            "__meta_qoder_work_environment_id": "env_gpu",
            "__meta_qoder_work_environment": "gpu",
            "__meta_qoder_work_account": "default",
            "instance": "exporter:10190/env_gpu",
        },
    }
    assert len(answer.json()) == 2


async def test_service_discovery_fails_until_it_is_known_what_is_watched(shown: FakeFleet) -> None:
    shown.ready = False
    async with client_of(shown) as client:
        assert (await client.get("/sd")).status_code == 503


@pytest.mark.parametrize("host", ["", "a b", "evil/path", 'x"y', "a@b", "[::1", "x" * 10 + ":123456"])
async def test_service_discovery_repeats_no_host_that_is_none(shown: FakeFleet, host: str) -> None:
    async with client_of(shown) as client:
        assert (await client.get("/sd", headers={"Host": host})).status_code == 400
