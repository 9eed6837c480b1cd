"""The runbooks that every exporter serves."""

import asyncio
import re
from urllib.parse import urljoin

import httpx
import pytest

from exporter.mixin.rules.catalogue import alerts
from exporter.thresholds import Thresholds
from exporter.web.app import Unchanging, create_app
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, fleet
from tests.web.test_status import STUCK, Page, page, reading

NAMES = sorted(alert.name for alert in alerts(Thresholds()))
EVERY = [f"/runbooks/{name.lower()}.md" for name in NAMES]


async def fetch(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(Unchanging(FakeFleet(fleet()), web_settings())))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        return await client.get(path)


def get(path: str, status: int = 200) -> Page:
    answer = asyncio.run(fetch(path))
    assert answer.status_code == status
    return Page(answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_its_page_under_the_name_of_its_file_and_its_own(name: str) -> None:
    shown = get(f"/runbooks/{name.lower()}.md")
    assert f"{name} Meaning" in shown.text
    assert shown.text == get(f"/runbooks/{name}").text
    assert {"h1", "h2", "p", "pre"} <= set(shown.tags)
    assert shown.tags.count("h1") == 1


@pytest.mark.parametrize("path", ["/runbooks", *EVERY])
def test_links_lead_to_pages_that_the_exporter_serves(path: str) -> None:
    for link in get(path).links:
        if not re.match("https?:|data:|#", link):
            get(urljoin(path, link))


def test_the_list_names_every_runbook() -> None:
    assert [urljoin("/runbooks", link) for link in get("/runbooks").links if "runbooks/" in link] == EVERY


def test_a_finding_leads_to_its_runbook() -> None:
    shown = page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK})
    assert "runbooks/qoderworkstuckstarting.md" in shown.links


@pytest.mark.parametrize("path", ["/runbooks/nothing.md", "/runbooks/..%5cpyproject.toml", "/runbooks/<b>.md"])
def test_an_unknown_name_is_refused(path: str) -> None:
    shown = get(path, 404)
    assert "b" not in shown.tags
    assert "There is nothing to show" in shown.text
