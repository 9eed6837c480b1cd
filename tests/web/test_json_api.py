"""The JSON API."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jsonschema
import pytest

from exporter.tracking.view import EnvironmentIdentity
from exporter.web.app import Unchanging, create_app
from exporter.web.current import PATIENCE
from exporter.web.openapi import document
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet
from tests.web.reports import failed, item, snapshot_of, succeeded

STUCK = (item("work_1", "starting", 1500), item("work_2", "queued", 7))


@pytest.fixture
def shown() -> FakeFleet:
    now = time.time()
    gpu = environment("gpu", snapshot=snapshot_of(STUCK), read_at=now, outcomes=(succeeded(now), failed(now - 9)))
    ci = environment("ci", snapshot=snapshot_of([]), read_at=now, outcomes=(succeeded(now),))
    shown = FakeFleet(fleet(gpu, ci))
    shown.live = {"env_gpu": STUCK}
    return shown


@pytest.fixture
async def client(shown: FakeFleet) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Unchanging(shown, web_settings())))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


def validate(answer: httpx.Response, path: str) -> None:
    """Check an answer against the published schema of its path and status."""
    published = json.loads(Path("docs/openapi.json").read_text(encoding="utf-8"))
    content = published["paths"][path]["get"]["responses"][str(answer.status_code)]["content"]
    jsonschema.validate(answer.json(), content["application/json"]["schema"] | {"components": published["components"]})


async def test_all_environments(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/environments")
    validate(answer, "/api/v1/environments")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert [each["name"] for each in answer.json()["environments"]] == ["gpu", "ci"]
    assert answer.json()["severity"] == "critical"


async def test_some_environments(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/environments", params={"sort": "name", "severity": "ok", "q": "c"})
    assert [each["name"] for each in answer.json()["environments"]] == ["ci"]
    assert answer.json()["total"] == 2


@pytest.mark.parametrize("target", ["env_gpu", "gpu"])
async def test_one_environment_with_its_items(client: httpx.AsyncClient, target: str) -> None:
    answer = await client.get(f"/api/v1/environments/{target}")
    validate(answer, "/api/v1/environments/{environment}")
    found = answer.json()
    assert found["environment"]["items"]["queued"] == 1  # what an autoscaler reads
    assert [each["work_id"] for each in found["live_items"]] == ["work_1", "work_2"]
    assert [each["succeeded"] for each in found["refreshes"]] == [True, False]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/environments?sort=size", 400, "sort must be one of"),
        ("/api/v1/environments/gpu?limit=many", 400, "limit must be a number"),
        ("/api/v1/environments/cpu", 404, "no environment with the ID or name `cpu` is watched; did you mean `gpu`?"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    client: httpx.AsyncClient, path: str, status: int, words: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    known = "/api/v1/environments" if status == 400 and "sort" in path else "/api/v1/environments/{environment}"
    validate(answer, known)


async def test_a_name_that_two_environments_have_is_refused(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.shown = fleet(*shown.shown.environments, environment("gpu", environment=_other("gpu")))
    answer = await client.get("/api/v1/environments/gpu")
    assert answer.status_code == 409
    assert "env_gpu (account default), env_2 (account other)" in answer.json()["error"]
    assert (await client.get("/api/v1/environments/env_2")).status_code == 200


async def test_a_name_may_have_slashes(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.shown = fleet(environment("a/b c?", outcomes=(succeeded(0.0),)))
    answer = await client.get("/api/v1/environments/a%2Fb%20c%3F")
    assert answer.json()["environment"]["name"] == "a/b c?"


async def test_who_looks_starts_a_refresh_and_does_not_wait_for_all_of_it(
    client: httpx.AsyncClient, shown: FakeFleet
) -> None:
    shown.released.clear()
    start = asyncio.get_running_loop().time()
    assert (await client.get("/api/v1/environments")).status_code == 200
    assert (await client.get("/")).status_code == 200
    assert asyncio.get_running_loop().time() - start < PATIENCE
    assert len(shown.budgets) == 1  # the second joined the refresh that the first had started
    shown.released.set()


async def test_one_environment_is_refreshed_by_itself(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    await client.get("/api/v1/environments/gpu")
    assert [only.id for only in shown.collected if only is not None] == ["env_gpu"]


async def test_the_first_reading_is_waited_for(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.shown = fleet(environment("gpu", up=False))
    shown.released.clear()
    waiting = asyncio.create_task(client.get("/api/v1/environments"))
    await shown.entered.wait()
    assert not waiting.done()
    shown.released.set()
    assert (await waiting).status_code == 200


def test_the_published_schema_is_current() -> None:
    assert json.loads(Path("docs/openapi.json").read_text(encoding="utf-8")) == document()


def _other(name: str) -> EnvironmentIdentity:
    return EnvironmentIdentity("env_2", name, "other")
