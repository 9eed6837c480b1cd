"""The status pages."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from exporter import __version__
from exporter.cli import wiring
from exporter.config import Alerts, EnvironmentThresholds
from exporter.metrics.samples import Reload
from exporter.tracking.observation import Observation
from exporter.tracking.view import Conflict, EnvironmentView, FleetView, GoneEnvironment
from exporter.web.app import Unchanging, WebSettings, create_app
from exporter.web.severity import Judges
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet
from tests.web.reports import NOW, Live, failed, item, snapshot_of, succeeded


class Page(HTMLParser):
    """A page's text, links and elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.html = html
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag not in {"meta", "link", "br", "input"}:
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


def page(view: FleetView, live: Live | None = None, query: str = "", **settings: Any) -> Page:
    """The status page of a view, as a client gets it."""
    return asyncio.run(_fetch(view, live or {}, f"/{query}", **settings))[0]


def environment_page(view: FleetView, live: Live, path: str) -> tuple[Page, httpx.Response]:
    """An environment's page, as a client gets it."""
    return asyncio.run(_fetch(view, live, f"/environments/{path}"))


async def _fetch(
    view: FleetView, live: Live, path: str, *, ready: bool = True, reload: Reload | None = None, **settings: Any
) -> tuple[Page, httpx.Response]:
    shown = FakeFleet(view)
    shown.live, shown.ready = dict(live), ready
    transport = httpx.ASGITransport(create_app(Unchanging(shown, web_settings(**settings), reload)))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        answer = await client.get(path)
    parsed = Page(answer.text)
    assert parsed.open == []
    return parsed, answer


def reading(name: str, items: Sequence[Observation] = (), **changes: object) -> EnvironmentView:
    """An environment whose items have just been read."""
    now = time.time()
    items = [msgspec.structs.replace(each, read_at=each.read_at) for each in items]
    shown = replace(snapshot_of(items), read_at=now)
    return environment(name, **({"snapshot": shown, "read_at": now, "outcomes": (succeeded(now),)} | changes))


STUCK = (item("work_1", "starting", 1500), item("work_2", "queued", 7), item("work_3", "active", 90, heartbeat=5))


def test_it_names_the_version_and_leads_on() -> None:
    shown = page(fleet(reading("gpu")))
    assert {"metrics", "api/v1/environments", "sd", "-/healthy", "-/ready"} <= set(shown.links)
    assert f"qoder-work-exporter {__version__}" in shown.text
    assert "All 1 environment OK" in shown.text


def test_it_says_what_is_stuck_since_when_and_what_to_do() -> None:
    shown = page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK})
    assert "1 of 1 environment needs attention now" in shown.text
    assert (
        "work_1 gpu starting critical has been starting for 25 min without a heartbeat Its worker died before the "
        "first heartbeat" in shown.text
    )
    assert "environments/env_gpu?work_id=work_1#work_1" in shown.links
    assert "https://qoder.com/cloud/sessions/sess_work_1" in shown.links


def test_it_shows_every_number_of_an_environment() -> None:
    view = reading("gpu", STUCK, refresh_duration=0.25, refresh_requests=4)
    assert "env_gpu · default critical 1 item" in page(fleet(view), {"env_gpu": STUCK}).text
    assert "1 1 1 0 7 s 5 s 25 min 0 s 1" in page(fleet(view), {"env_gpu": STUCK}).text
    assert "250 ms 4 requests" in page(fleet(view)).text


def test_it_says_why_an_environment_cannot_be_read_in_our_own_words() -> None:
    now = time.time()
    view = environment(
        "gpu", up=False, error="secret words", outcomes=(failed(now, "auth", 401),), failing_since=now - 200
    )
    shown = page(fleet(view))
    assert "cannot be read for 3 min: the API refuses the token QoderWorkTokenRefused" in shown.text
    assert "The API refuses the token of account default" in shown.text
    assert "auth The API refuses the token. Replace the token" in shown.text
    assert "list: HTTP 401 req-1" in shown.text
    assert "secret" not in shown.text


def test_a_failure_that_is_over_stays_and_is_said_to_be_over() -> None:
    now = time.time()
    shown = page(fleet(reading("gpu", outcomes=(succeeded(now), failed(now - 3600)))))
    assert "server, over The API, or a gateway before it, failed." in shown.text
    assert "All 1 environment OK" in shown.text


def test_it_shows_how_far_the_reading_of_the_history_has_come() -> None:
    view = environment("gpu", history_complete=False, progress="12 requests made", outcomes=(succeeded(time.time()),))
    shown = page(fleet(view))
    assert "reading the list: 12 requests made" in shown.text
    assert "1 of 1 environment cannot be judged" in shown.text


def test_nothing_old_looks_new() -> None:
    now = time.time()
    view = environment("gpu", snapshot=None, read_at=now - 720, outcomes=(succeeded(now - 720),))
    shown = page(fleet(view))
    assert "last read 12 min ago, so its counts are withheld" in shown.text
    assert re.search(r"As of 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", shown.text)


def test_it_shows_a_failed_discovery() -> None:
    view = fleet(reading("gpu"), discovery_error="secret words")
    view = replace(view, accounts=(replace(view.accounts[0], discovery_failure=failed(time.time())),))
    shown = page(view)
    assert "Discovery of the environments of account default failed at" in shown.text
    assert "API's request ID: req-1" in shown.text
    assert "secret" not in shown.text


def test_it_shows_what_discovery_noticed() -> None:
    view = fleet(reading("gpu"))
    account = replace(
        view.accounts[0],
        gone=(GoneEnvironment("env_1", "<b>old</b>", NOW),),
        conflicts=(Conflict("env_2", "shared", "first"),),
        unmatched=("typo-.*",),
        skipped=("env_<i>",),
    )
    shown = page(replace(view, accounts=(account,)))
    assert "Environments have left account default <b>old</b> ( env_1 ) at 2027-01-15 08:00:00 UTC" in shown.text
    assert "read through another account shared ( env_2 ) is read through first" in shown.text
    assert "Patterns of account default match no environment typo-.*" in shown.text
    assert "Environments of account default cannot be read" in shown.text
    assert "env_<i>" in shown.text


def test_it_shows_a_failed_reload_and_the_configuration_in_force() -> None:
    reload = Reload(successful=False, succeeded_at=NOW, problems=("config.yaml:3: scrape.timeout: no unit",))
    shown = page(fleet(reading("gpu")), reload=reload, configuration="accounts:\n- name: main\n")
    assert "The configuration could not be loaded again The one loaded at 2027-01-15 08:00:00 UTC is" in shown.text
    assert "config.yaml:3: scrape.timeout: no unit" in shown.text
    assert "accounts: - name: main" in shown.text


@pytest.mark.parametrize(
    ("ready", "text"),
    [
        (True, "Discovery has found none that is self-hosted"),
        (False, "None is known yet: the accounts are being asked for their environments."),
    ],
)
def test_it_says_why_there_is_no_environment(ready: bool, text: str) -> None:
    assert text in page(fleet(), ready=ready).text


def test_it_can_be_sorted_filtered_and_paused() -> None:
    view = fleet(reading("a"), reading("b", STUCK), environment("c", up=False, error="x", outcomes=(failed(0.0),)))
    links = page(view, {}, "?sort=-name").links
    assert [link for link in links if re.fullmatch(r"environments/env_\w", link)] == [
        "environments/env_c",
        "environments/env_b",
        "environments/env_a",
    ]
    assert "None of the 3 environments matches." in page(view, query="?q=nothing").text
    assert "It does not load itself again" in page(view, query="?refresh=0").text
    assert "loads itself again every 1 min" in page(view, query="?refresh=60").text
    for path, seconds in (("/", "15"), ("/?refresh=60", "60"), ("/?refresh=0", None), ("/environments/a", "15")):
        assert asyncio.run(_fetch(view, {}, path))[1].headers.get("refresh") == seconds


def test_a_request_that_makes_no_sense_is_answered_with_the_default_and_a_word() -> None:
    shown, answer = asyncio.run(_fetch(fleet(reading("gpu")), {}, "/?sort=%3Cb%3E"))
    assert answer.status_code == 400
    assert "This request is not understood sort must be one of" in shown.text
    assert "gpu" in shown.text


def test_an_environment_has_a_page_by_id_and_by_name() -> None:
    for target in ("env_gpu", "gpu"):
        shown, answer = environment_page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK}, target)
        assert answer.status_code == 200
        assert "3 of 3 shown." in shown.text
        assert "work_1 critical has been starting for 25 min without a heartbeat" in shown.text
        assert {"work_1", "work_2", "work_3"} <= set(shown.ids)
        assert "qoder-work-exporter inspect env_gpu" in shown.text


def test_an_item_can_be_shown_alone() -> None:
    shown, _ = environment_page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK}, "env_gpu?work_id=work_3")
    assert "Only work_3 is shown." in shown.text
    assert "A worker has it and sends heartbeats" in shown.text
    assert "work_1" not in shown.ids


def test_an_item_is_found_by_its_id_alone() -> None:
    view, live = fleet(reading("ci"), reading("gpu", STUCK)), {"env_gpu": STUCK}
    _, answer = asyncio.run(_fetch(view, live, "/items/work_3"))
    assert answer.status_code == 303
    assert answer.headers["location"] == "../environments/env_gpu?work_id=work_3#work_3"
    gone, answer = asyncio.run(_fetch(view, live, "/items/work_9"))
    assert answer.status_code == 404
    assert "no live item `work_9` is known: it has stopped, or never was" in gone.text


def test_an_item_that_is_not_live_leads_to_the_api() -> None:
    shown, _ = environment_page(fleet(reading("gpu")), {}, "env_gpu?work_id=work_9")
    assert "qoder-work-exporter inspect env_gpu work_9" in shown.text


def test_items_can_be_those_of_one_state() -> None:
    shown, _ = environment_page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK}, "gpu?state=active")
    assert "1 of 1 active shown." in shown.text
    assert shown.ids & {"work_1", "work_2", "work_3"} == {"work_3"}


def test_an_unknown_environment_is_not_found() -> None:
    shown, answer = environment_page(fleet(reading("gpu-workers")), {}, "gpu-worker")
    assert answer.status_code == 404
    assert "no environment with the ID or name `gpu-worker` is watched; did you mean `gpu-workers`" in shown.text


def test_untrusted_text_stays_text() -> None:
    name = '<script>alert("1")</script>'
    work = (item('"><img src=x onerror=1>', "starting", 1500),)
    view = fleet(reading(name, work))
    for shown in (
        page(view, {f"env_{name}": work}),
        environment_page(view, {f"env_{name}": work}, quote(name, safe=""))[0],
    ):
        assert name in shown.text
        assert work[0].id in shown.text
        assert not {"script", "img"} & set(shown.tags)


def test_nothing_invisible_or_reordering_reaches_the_page() -> None:
    name = "a\x1b[31m\u202eb\u200b\x9b"
    html = page(fleet(reading(name)), configuration="x:\n  - y\n").html
    assert [each for each in html if not each.isprintable() and each != "\n"] == []
    assert "a�[31m�b��" in html
    assert "x:\n  - y" in html


def test_it_needs_nothing_from_elsewhere_and_no_script() -> None:
    html = page(fleet(reading("gpu", STUCK)), {"env_gpu": STUCK}, session_link=None, configuration="").html
    assert not re.search(r"https?://|<script|url\(|@import|style=|javascript:", html)


def test_browsers_are_told_to_keep_nothing_and_to_load_nothing() -> None:
    for path in ("/", "/environments/gpu", "/environments/none"):
        _, answer = asyncio.run(_fetch(fleet(reading("gpu")), {}, path))
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy


def test_five_hundred_environments_cost_little() -> None:
    """A figure for docs: seconds of CPU per page are printed; the limit only notices another order of magnitude."""
    views = [reading(f"env-{n:03}", STUCK) for n in range(500)]
    live = {view.environment.id: STUCK for view in views}
    start = time.process_time()
    shown = page(fleet(*views), live)
    seconds = time.process_time() - start
    print(f"500 environments: {seconds:.2f} s of CPU with parsing, {len(shown.html)} bytes")
    assert "500 of 500 environments need attention now" in shown.text
    assert seconds < 10


# -- with other thresholds ---------------------------------------------------------------------------------------------


PATIENT = {"queue_stalled_age": 28800.0, "backlog_age": 7200.0, "no_workers_wait": 14400.0}


def judged(**thresholds: float) -> Judges:
    """As configured for environments whose names begin with `batch`."""
    some = EnvironmentThresholds(environments="batch.*", thresholds=thresholds)
    return wiring.judges(Alerts(environment_thresholds=(some,)))


def test_an_environment_is_judged_by_its_own_thresholds() -> None:
    waiting = (item("work_1", "queued", 1000),)
    shown = page(
        fleet(reading("gpu", waiting), reading("batch", waiting)),
        {"env_gpu": waiting, "env_batch": waiting},
        judges=judged(**PATIENT),
    )
    assert "1 of 2 environments needs attention now" in shown.text
    assert "env_gpu · default critical" in shown.text
    assert "env_batch · default critical" not in shown.text


def test_a_reload_judges_anew_what_was_read_before() -> None:
    waiting = (item("work_1", "queued", 1000),)
    shown = FakeFleet(fleet(reading("batch", waiting)))
    shown.live, shown.ready = {"env_batch": waiting}, True
    exporter = Reloaded(shown, web_settings())

    async def pages() -> list[str]:
        transport = httpx.ASGITransport(create_app(exporter))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            before = (await client.get("/")).text
            exporter.settings = web_settings(judges=judged(**PATIENT))
            return [Page(text).text for text in (before, (await client.get("/")).text)]

    before, after = asyncio.run(pages())
    assert "1 of 1 environment needs attention now" in before
    assert "All 1 environment OK" in after


@dataclass
class Reloaded:
    """An exporter whose settings change."""

    fleet: FakeFleet
    settings: WebSettings
    loaded: Reload | None = None

    async def reload(self) -> Sequence[str]:
        return []
