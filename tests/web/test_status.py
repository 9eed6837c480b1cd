"""The status page."""

import re
from html.parser import HTMLParser

import httpx
import pytest

from exporter import __version__
from exporter.tracking.view import FleetView
from exporter.web.app import Unchanging, create_app
from exporter.web.status import age_text, render
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet, snapshot

NOW = 1_800_000_000.0


class Page(HTMLParser):
    """A page's text, links and elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if tag == "a" and name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(view: FleetView, *, ready: bool = True) -> Page:
    parsed = Page(render(view, telemetry_path="/metrics", ready=ready, now=NOW))
    assert parsed.open == []
    return parsed


def test_it_links_to_the_metrics_and_names_the_version() -> None:
    shown = page(fleet())
    assert shown.links == ["metrics", "-/healthy", "-/ready"]
    assert f"Version {__version__}." in shown.text


def test_it_shows_each_environment() -> None:
    shown = page(fleet(environment("gpu", snapshot=snapshot(NOW - 42, queued=3, starting=0, active=12, stopped=900))))
    assert "gpu env_gpu default succeeded complete 3 0 12 0 42 s" in shown.text


def test_it_shows_why_an_environment_failed() -> None:
    shown = page(fleet(environment("gpu", up=False, error="list: HTTP 401: authentication_error")))
    assert "gpu env_gpu default failed list: HTTP 401: authentication_error complete not known no data" in shown.text


def test_it_shows_how_far_the_reading_of_the_history_has_come() -> None:
    shown = page(fleet(environment("gpu", history_complete=False, progress="12 pages read, 1200 items known")))
    assert "12 pages read, 1200 items known not known" in shown.text


def test_it_shows_the_worst_first() -> None:
    shown = page(
        fleet(environment("a"), environment("b", history_complete=False), environment("c", up=False, error="dead"))
    )
    names = [word for word in shown.words if word in {"a", "b", "c"}]
    assert names == ["c", "b", "a"]


def test_it_shows_a_failed_discovery() -> None:
    shown = page(fleet(discovery_error="environments: HTTP 401"))
    assert "Discovery failed for the account default: environments: HTTP 401" in shown.text


@pytest.mark.parametrize(
    ("ready", "text"),
    [(True, "No environment is watched."), (False, "None is known yet: the environments are being looked up.")],
)
def test_it_says_why_there_is_no_environment(ready: bool, text: str) -> None:
    assert text in page(fleet(), ready=ready).text


def test_a_strangers_text_stays_text() -> None:
    name = '<script>alert("1")</script>'
    shown = page(fleet(environment(name, up=False, error="<b>bold</b>"), discovery_error="<i>"))
    assert name in shown.text
    assert "<b>bold</b>" in shown.text
    assert not {"script", "b", "i"} & set(shown.tags)


def test_it_needs_nothing_from_elsewhere_and_no_script() -> None:
    html = render(fleet(environment()), telemetry_path="/metrics", ready=True)
    assert not re.search(r"https?://|<script|url\(|@import", html)


async def test_browsers_are_told_to_keep_nothing_and_to_load_nothing() -> None:
    transport = httpx.ASGITransport(create_app(Unchanging(FakeFleet(fleet(environment())), web_settings())))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86399, "23 h"),
        (1e6, "11 d"),
    ],
)
def test_an_age_is_told_by_its_largest_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text
