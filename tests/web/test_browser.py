"""The status page, as a person sees it: the real exporter in a real browser."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Error, Page, expect, sync_playwright

from exporter.simulator import DEFAULT_TOKEN, Latency, Simulation, SimulatorThread, Status
from exporter.web.listen import Address, listen

HOSTILE = "<script>document.title='taken'</script>"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PATIENCE_MS = 60_000


@pytest.fixture
def simulation() -> Simulation:
    simulation = Simulation()
    for name in ("gpu-workers", HOSTILE):
        environment_id = simulation.create_environment(name)
        for state in ("queued", "queued", "active", "stopped"):
            simulation.create_work(environment_id, state=state)
    return simulation


@contextmanager
def status_page(simulation: Simulation, tmp_path: Path, width: int = 1200) -> Iterator[Page]:
    """The page of an exporter on this simulation, in a browser that forgives no error."""
    with listen(Address("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with SimulatorThread(simulation) as api, (tmp_path / "log").open("wb") as log:
        exporter = subprocess.Popen(
            [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}"],
            env={"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": api.base_url, "PATH": ""},
            stderr=log,
        )
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
                page = browser.new_page(viewport={"width": width, "height": 800})
                errors: list[str] = []

                def note(message: ConsoleMessage) -> None:
                    if message.type == "error" and not message.location["url"].endswith("favicon.ico"):
                        errors.append(message.text)

                page.on("console", note)
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.goto("about:blank")
                visit(page, f"http://127.0.0.1:{port}/")
                yield page
                assert errors == []
                browser.close()
        finally:
            exporter.terminate()
            exporter.wait(60)


def visit(page: Page, url: str) -> None:
    """Load a page, of a server that may be about to start."""
    for _ in range(200):
        try:
            page.goto(url, timeout=PATIENCE_MS)
        except Error as error:
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            page.wait_for_timeout(100)
        else:
            return
    raise AssertionError(f"{url} did not come up")


def until_shown(page: Page, text: str) -> None:
    """Reload until the page shows something."""
    for _ in range(200):
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError(f"{text} is not shown: {page.content()}")


@pytest.mark.program("chromium")
def test_it_shows_every_environment_and_runs_nothing_a_stranger_wrote(simulation: Simulation, tmp_path: Path) -> None:
    with status_page(simulation, tmp_path) as page:
        until_shown(page, "gpu-workers")
        until_shown(page, "complete")
        row = page.get_by_role("row").filter(has_text="gpu-workers")
        expect(row.get_by_role("cell").filter(has_text="2").first).to_be_visible()
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        assert page.title() != "taken"
        page.get_by_role("link", name="Metrics").click()
        expect(page.locator("body")).to_contain_text("qoder_work_items")


@pytest.mark.program("chromium")
def test_it_says_what_failed(simulation: Simulation, tmp_path: Path) -> None:
    first = next(iter(simulation.environments))
    simulation.faults.add(Status(status=403, environment_id=first))
    with status_page(simulation, tmp_path) as page:
        until_shown(page, "failed")
        expect(page.locator("body")).to_contain_text("403")
        expect(page.locator("body")).not_to_contain_text(DEFAULT_TOKEN)


@pytest.mark.program("chromium")
def test_it_fits_a_phone_and_answers_while_the_api_does_not(simulation: Simulation, tmp_path: Path) -> None:
    simulation.faults.add(Latency(seconds=30))
    with status_page(simulation, tmp_path, width=390) as page:
        expect(page.get_by_role("heading", name="qoder-work-exporter")).to_be_visible()
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0
