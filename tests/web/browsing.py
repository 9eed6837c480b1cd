"""A browser that forgives no error, and exporters to look at with it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from starlette.types import ASGIApp

from exporter.metrics.samples import Reload
from exporter.tracking.observation import Observation
from exporter.web.app import Unchanging, create_app
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet
from tests.web.reports import failed, item, snapshot_of, succeeded

HOSTILE = "<script>document.title='taken'</script>\"'><img src=x onerror=document.title='taken'>"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
STUCK = (
    item("work_019f3be4fd2475d9a784bf2c739e1194", "starting", 1500),
    item("work_019f3be4fd2475d9a784bf2c739e1195", "active", 3000, heartbeat=1080),
    item("work_019f3be4fd2475d9a784bf2c739e1196", "stopping", 2100, heartbeat=4),
    item("work_019f3be4fd2475d9a784bf2c739e1197", "queued", 400),
    *(item(f"work_019f3be4fd2475d9a784bf2c739e2{n:03}", "active", 60 + n, heartbeat=n) for n in range(12)),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, *, width: int = 1200, scheme: str = "light") -> Iterator[Page]:
    """A page on which no error may happen."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width < 700,
    )
    page = context.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.location["url"].endswith("/favicon.ico"):
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
        assert errors == []
    finally:
        context.close()


def healthy() -> ASGIApp:
    """Three environments with nothing wrong."""
    work = tuple(item(f"work_{n}", "active", 30 + n, heartbeat=n) for n in range(5))
    return _exporter(dict.fromkeys(("ci-runners", "batch-etl", "docs-preview"), work))


def failing() -> ASGIApp:
    """Stuck items, an outage, a refused account, a failed reload, and a failure that is over."""
    now = time.time()
    watched = FakeFleet(
        fleet(
            environment("gpu-workers", snapshot=snapshot_of(STUCK), read_at=now, outcomes=(succeeded(now),)),
            environment(
                "batch-etl",
                up=False,
                error="x",
                snapshot=None,
                read_at=now - 900,
                outcomes=(failed(now, "auth", 401, "0c4f7b9e-7c53-4a3c-9a54-4f9f7a6d6d11"), succeeded(now - 900)),
                failing_since=now - 880,
            ),
            environment("new", up=False, history_complete=False, progress="30 requests made, 3000 items read"),
            environment(
                "ci", snapshot=snapshot_of([]), read_at=now, outcomes=(succeeded(now), failed(now - 3600, "timeout"))
            ),
        )
    )
    watched.live = {
        "env_gpu-workers": STUCK,
        "env_batch-etl": (replace_id(STUCK[0], "work_019f3be4fd2475d9a784bf2c739e3194"),),
    }
    reload = Reload(successful=False, succeeded_at=now, problems=("config.yaml:12: scrape.timeout: `10` has no unit",))
    return create_app(Unchanging(watched, web_settings(), reload))


def empty() -> ASGIApp:
    """No environment at all."""
    return _exporter({})


def many() -> ASGIApp:
    """Five hundred environments, some of them with stuck items."""
    return _exporter({f"environment-{n:03}": STUCK if n % 50 == 7 else () for n in range(500)})


def hostile() -> ASGIApp:
    """Names, IDs, metadata and problems that try to be more than text, and texts without an end."""
    work = (replace_id(STUCK[0], HOSTILE), replace_id(STUCK[1], "work_" + "x" * 200))
    return _exporter({HOSTILE: work, "n" * 300: (), "\u202eright to left\u0000": ()}, problem=HOSTILE * 3)


SCENARIOS = {"healthy": healthy, "failing": failing, "empty": empty, "many": many, "hostile": hostile}


def replace_id(found: Observation, work_id: str) -> Observation:
    """The same item under another ID, which is its metadata and its session's ID, too."""
    return msgspec.structs.replace(found, id=work_id, labels=(work_id,), session_id=f"sess_{work_id}")


def _exporter(works: dict[str, tuple[Observation, ...]], problem: str = "") -> ASGIApp:
    now = time.time()
    views = [
        environment(name, snapshot=snapshot_of(work), read_at=now, outcomes=(succeeded(now),))
        for name, work in works.items()
    ]
    watched = FakeFleet(replace(fleet(*views), metadata_keys=("job",)))
    watched.live = {f"env_{name}": work for name, work in works.items()}
    reload = Reload(successful=not problem, succeeded_at=now, problems=(problem,) if problem else ())
    return create_app(Unchanging(watched, web_settings(), reload))
