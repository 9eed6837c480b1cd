"""The routes: what they answer, and what they ask of the fleet."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.exposition import Exposition
from exporter.web.app import Unchanging, WebSettings, check_telemetry_path, create_app
from exporter.web.deadline import HEADER
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet, snapshot

SETTINGS = web_settings(timeout=8.0, timeout_offset=0.5)


@pytest.fixture
def shown() -> FakeFleet:
    return FakeFleet(fleet(environment(snapshot=snapshot(1_800_000_000.0, queued=3, active=2))))


@pytest.fixture
async def client(shown: FakeFleet) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(shown) as client:
        yield client


def client_of(shown: FakeFleet, settings: WebSettings = SETTINGS) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(Unchanging(shown, settings)))
    return httpx.AsyncClient(transport=transport, base_url="http://exporter")


async def test_metrics_are_the_fleets_view_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in parse_text(answer.text) for sample in family.samples]
    assert [sample.value for sample in samples if sample.labels.get("state") == "queued"] == [3.0]


async def test_metrics_are_openmetrics_for_a_scraper_that_asks(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert "qoder_work_items" in {family.name for family in families}


async def test_metrics_are_compressed_for_a_scraper_that_asks(client: httpx.AsyncClient) -> None:
    plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
    async with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < len(plain.content) / 2
    assert b"qoder_work_items" in gzip.decompress(packed)


@pytest.mark.parametrize(("headers", "seconds"), [({}, 8.0), ({HEADER: "5"}, 4.5), ({HEADER: "0.2"}, 0.0)])
async def test_a_scrape_gives_the_fleet_as_long_as_the_scraper_waits(
    client: httpx.AsyncClient, shown: FakeFleet, headers: dict[str, str], seconds: float
) -> None:
    await client.get("/metrics", headers=headers)
    (budget,) = shown.budgets
    assert seconds - 0.5 < budget <= seconds


async def test_the_time_the_last_answers_took_to_write_is_set_aside(
    client: httpx.AsyncClient, shown: FakeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exposition, "cost", 1.5)
    for timeout in ("5", "2.5"):
        await client.get("/metrics", headers={HEADER: timeout})
    enough, little = shown.budgets
    assert 2.5 < enough <= 3.0
    assert 0.5 < little <= 1.0, "half of the time is left for reading, however long writing took"


async def test_a_scrape_may_name_the_families_it_wants(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", params={"name[]": ["qoder_work_up", "qoder_work_items"]})
    assert {family.name for family in parse_text(answer.text)} == {"qoder_work_up", "qoder_work_items"}


async def test_the_configuration_chooses_histograms_and_buckets(shown: FakeFleet) -> None:
    chosen = {"qoder_work_queue_age_seconds": (60.0, 3600.0), "qoder_work_heartbeat_lag_seconds": None}
    async with client_of(shown, web_settings(histograms=chosen)) as client:
        text = (await client.get("/metrics")).text
    assert "heartbeat_lag_seconds_bucket" not in text
    bounds = [sample.labels["le"] for family in parse_text(text) for sample in family.samples if "le" in sample.labels]
    assert bounds == ["60.0", "3600.0", "+Inf"]


async def test_a_scrape_that_names_no_sensible_timeout_is_refused(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    answer = await client.get("/metrics", headers={HEADER: "soon"})
    assert answer.status_code == 400
    assert answer.text == f"{HEADER} must be a positive number of seconds, for example 10 or 2.5\n"
    assert shown.budgets == []


async def test_a_scrape_is_answered_at_its_deadline(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.released.clear()
    answer = await client.get("/metrics", headers={HEADER: "0.6"})
    assert answer.status_code == 200
    assert not shown.released.is_set()


async def test_two_scrapes_are_answered_at_the_same_time(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.released.clear()
    waiting = asyncio.create_task(client.get("/metrics"))
    await shown.entered.wait()
    assert (await client.get("/-/healthy")).status_code == 200
    shown.released.set()
    assert (await waiting).status_code == 200


async def test_the_metrics_can_be_elsewhere(shown: FakeFleet) -> None:
    async with client_of(shown, web_settings(telemetry_path="/work/metrics")) as client:
        assert "qoder_work_items" in (await client.get("/work/metrics")).text
        missing = await client.get("/metrics")
        assert 'href="work/metrics"' in (await client.get("/")).text
    assert missing.status_code == 404
    assert missing.text == "Not found. The metrics are at /work/metrics.\n"


async def test_the_metrics_can_take_the_place_of_the_status_page(shown: FakeFleet) -> None:
    async with client_of(shown, web_settings(telemetry_path="/")) as client:
        assert "qoder_work_items" in (await client.get("/")).text


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("metrics", "does not begin with /"),
        ("", "does not begin with /"),
        ("/-/healthy", "is not free"),
        ("/{path}", "has characters that a plain path does not have"),
        ("/met rics", "has characters that a plain path does not have"),
        ("/metrics?x", "has characters that a plain path does not have"),
    ],
)
def test_a_path_that_cannot_hold_the_metrics_is_refused(path: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        check_telemetry_path(path)


async def test_health_asks_nothing_of_the_fleet(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.ready = False
    answer = await client.get("/-/healthy")
    assert (answer.status_code, answer.text) == (200, "Healthy.\n")
    assert shown.budgets == []


async def test_readiness_is_the_fleets(client: httpx.AsyncClient, shown: FakeFleet) -> None:
    shown.ready = False
    answer = await client.get("/-/ready")
    assert answer.status_code == 503
    assert answer.text == "Not ready: the environments to watch are still being looked up.\n"
    shown.ready = True
    answer = await client.get("/-/ready")
    assert (answer.status_code, answer.text) == (200, "Ready.\n")


async def test_an_unknown_path_says_where_the_metrics_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metric")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "Not found. The metrics are at /metrics.\n"


@pytest.mark.parametrize("path", ["/metrics/", "/-/healthy/", "/-/ready/", "/-/reload/", "//", "/metrics//"])
async def test_no_redirect_is_made_from_the_host_header(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"http://exporter{path}", headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=9.9.9", "application/openmetrics-text;version=1.0.0;q=0"]
)
async def test_openmetrics_is_answered_only_where_it_is_acceptable(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert list(parse_text(answer.text))


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_a_wrong_method_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.text == "Method Not Allowed"


async def test_a_defect_gives_500_without_its_details(shown: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("must-never-be-shown")

    monkeypatch.setattr(shown, "view", fail)
    transport = httpx.ASGITransport(create_app(Unchanging(shown, SETTINGS)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
