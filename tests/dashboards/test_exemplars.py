"""From a dot on a panel to the item's page: the link of the data source, as Grafana reads it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from exporter.config import Links
from exporter.web.app import Unchanging, create_app
from tests.dashboards.conftest import FILES
from tests.metrics.test_exposition import exemplars
from tests.metrics.views import fleet as with_exemplars
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, fleet
from tests.web.reports import item
from tests.web.test_status import reading

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
STACK = ROOT / "deploy" / "compose" / "compose.yaml"

UNDERSTOOD = {"name", "url", "urlDisplayLabel", "datasourceUid"}
"""What Grafana's Prometheus data source knows of a destination."""


def destinations() -> dict[str, dict[str, str]]:
    (source,) = yaml.safe_load(SOURCES.read_text())["datasources"]
    return {each["name"]: each for each in source["jsonData"]["exemplarTraceIdDestinations"]}


def provisioned(text: str) -> str:
    """A value as Grafana reads it from a provisioning file: variables are filled in, and `$$` is a dollar sign."""
    return re.sub(r"\$\$|\$(\w+|\{[^}]*\})", lambda found: "$" if found[0] == "$$" else "", text)


def clicked(name: str, value: str) -> str:
    """Where the link of an exemplar's label leads."""
    return provisioned(destinations()[name]["url"]).replace("${__value.raw}", value)


def test_grafana_understands_the_destinations() -> None:
    for destination in destinations().values():
        assert destination.keys() <= UNDERSTOOD
        assert destination["urlDisplayLabel"]
        assert provisioned(destination["url"]).count("${__value.raw}") == 1


def test_dots_are_shown_where_the_axis_is_of_seconds() -> None:
    boards = [json.loads(file.read_text()) for file in FILES]
    panels = [panel for board in boards for panel in board["panels"]]
    shown = [panel for panel in panels if any(target["exemplar"] for target in panel.get("targets", ()))]
    assert {panel["title"] for panel in shown} == {
        "Wait until acknowledged",
        "Wait until acknowledged, quantiles",
        "Start-up time",
        "Drain time",
        "Run time",
    }
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in shown} == {"s"}


def test_every_label_of_an_exemplar_has_a_destination() -> None:
    labels = {name for sample in exemplars(with_exemplars()) if sample.exemplar for name in sample.exemplar.labels}
    assert destinations().keys() == labels


def test_the_sessions_link_is_the_exporters_own() -> None:
    assert clicked("session_id", "sess_1") == str(Links().session).replace("{session_id}", "sess_1")


def test_a_click_leads_to_the_item() -> None:
    items = (item("work_1", "starting", 1500), item("work_2", "queued", 7))
    shown = FakeFleet(fleet(reading("gpu", items)))
    shown.live, shown.ready = {"env_gpu": items}, True

    async def click() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Unchanging(shown, web_settings())))
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            return await client.get(clicked("work_id", "work_1"))

    answer = asyncio.run(click())
    assert answer.status_code == 200
    assert 'id="work_1"' in answer.text
    assert 'id="work_2"' not in answer.text


def test_the_stack_for_compose_has_all_of_it() -> None:
    services: dict[str, Any] = yaml.safe_load(STACK.read_text())["services"]
    assert "../../grafana/provisioning:/etc/grafana/provisioning:ro" in services["grafana"]["volumes"]
    assert "--enable-feature=exemplar-storage" in services["prometheus"]["command"]
    address = urlsplit(clicked("work_id", "work_1"))
    published = dict(port.rpartition(":")[0].split(":")[::-1] for port in services["exporter"]["ports"])
    assert published[str(address.port)] in {address.hostname, "127.0.0.1"}


@pytest.mark.parametrize("text", ["http://localhost/${__value.raw}", "http://localhost/$__value"])
def test_an_unescaped_dollar_would_be_lost(text: str) -> None:
    assert "$" not in provisioned(text)
