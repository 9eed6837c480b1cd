"""The status pages, as a person sees them, in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, expect

from exporter.simulator import DEFAULT_TOKEN, Latency, Simulation, SimulatorThread, Status
from exporter.web.listen import Address, listen
from tests.support.serving import serving
from tests.web.browsing import HOSTILE, SCENARIOS, STUCK, chromium, page_of

pytestmark = pytest.mark.program("chromium")

PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def shown(browser: Browser, scenario: str, *, width: int = 1200, scheme: str = "light") -> Iterator[tuple[Page, str]]:
    """A scenario's status page, and its address."""
    with serving(SCENARIOS[scenario]()) as port, page_of(browser, width=width, scheme=scheme) as page:
        url = f"http://127.0.0.1:{port}/"
        page.goto(url, timeout=PATIENCE_MS)
        yield page, url


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page, contrast included."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


# -- every scenario ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_it_fits_can_be_read_and_makes_no_error(browser: Browser, scenario: str, scheme: str, width: int) -> None:
    with shown(browser, scenario, scheme=scheme, width=width) as (page, _):
        assert overflow(page) <= 0
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if scenario != "many":  # axe looks at every node, and five hundred rows are alike
            assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("target", ["gpu-workers", "batch-etl", "new", "none"])
def test_an_environments_page_fits_and_can_be_read(browser: Browser, target: str, width: int, scheme: str) -> None:
    with serving(SCENARIOS["failing"]()) as port, page_of(browser, width=width, scheme=scheme) as page:
        if target == "none":  # a 404 is an error to the browser's console
            page.goto(f"http://127.0.0.1:{port}/")
            page.set_content(page.request.get(f"http://127.0.0.1:{port}/environments/none").text())
        else:
            page.goto(f"http://127.0.0.1:{port}/environments/{target}", timeout=PATIENCE_MS)
        assert overflow(page) <= 0
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize(
    "path", ["runbooks", "runbooks/qoderworkhistogramsmissing.md", "runbooks/qoderworkqueuestalled.md"]
)
def test_runbooks_fit_and_can_be_read(browser: Browser, path: str, width: int, scheme: str) -> None:
    with serving(SCENARIOS["empty"]()) as port, page_of(browser, width=width, scheme=scheme) as page:
        page.goto(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE_MS)
        assert overflow(page) <= 0
        assert violations(page) == []


def test_one_click_leads_from_a_finding_to_its_runbook(browser: Browser) -> None:
    with shown(browser, "failing") as (page, url):
        page.get_by_role("link", name="QoderWorkStuckStarting").first.click()
        assert page.url == f"{url}runbooks/qoderworkstuckstarting.md"
        expect(page.get_by_role("heading", level=1)).to_have_text("QoderWorkStuckStarting")


# -- what it is for ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 375, 1400])
def test_every_number_is_visible_on_a_phone_and_on_a_desk(browser: Browser, width: int) -> None:
    with shown(browser, "failing", width=width) as (page, _):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="gpu-workers", exact=True)).last
        for cell in row.get_by_role("cell").all():
            expect(cell).to_be_visible()
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        expect(row).to_contain_text("18 min")


def test_one_click_leads_from_the_page_to_the_item_and_its_session(browser: Browser) -> None:
    with shown(browser, "failing") as (page, url):
        session = page.get_by_role("link", name=f"sess_{STUCK[0].id}")
        assert session.get_attribute("href") == f"https://qoder.com/cloud/sessions/sess_{STUCK[0].id}"
        page.get_by_role("link", name=STUCK[0].id, exact=True).click()
        assert page.url == f"{url}environments/env_gpu-workers?work_id={STUCK[0].id}#{STUCK[0].id}"
        item = page.locator(f"#{STUCK[0].id}")
        expect(item).to_be_in_viewport()
        expect(item).to_contain_text("has been starting for 25 min without a heartbeat")
        expect(item).to_contain_text("stop the item by force")


def test_it_can_be_used_with_the_keyboard_alone(browser: Browser) -> None:
    with shown(browser, "failing") as (page, url):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        reachable = page.locator("a[href], input, select, button, summary, [tabindex='0']").count()
        seen = set()
        for _ in range(reachable + 5):
            seen.add(page.evaluate("document.activeElement.outerHTML"))
            page.keyboard.press("Tab")
        assert len(seen) >= page.locator("summary, input:visible, select, button, nav a, .chips a").count()
        page.get_by_role("searchbox").focus()
        page.keyboard.type("etl")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}?q=etl*")
        assert page.locator("table.environments tbody tr").count() == 1


def test_it_can_be_sorted_by_its_headings(browser: Browser) -> None:
    with shown(browser, "many") as (page, _):
        page.get_by_role("link", name="Environment", exact=True).click()
        first = page.locator("table.environments tbody th").first
        expect(first).to_contain_text("environment-000")
        page.get_by_role("link", name="Environment ▲").click()
        expect(page.locator("table.environments tbody th").first).to_contain_text("environment-499")


def test_it_loads_itself_again_until_it_is_told_not_to(browser: Browser) -> None:
    with shown(browser, "healthy") as (page, url):
        page.goto(f"{url}?refresh=1")
        with page.expect_navigation(timeout=PATIENCE_MS):
            pass
        page.get_by_role("link", name="pause").click()
        page.wait_for_url("**/?refresh=0")
        expect(page.get_by_text("It does not load itself again")).to_be_visible()
        page.get_by_role("link", name="resume").click()
        page.wait_for_url(f"{url}?")


def test_it_runs_nothing_that_is_untrusted(browser: Browser) -> None:
    with shown(browser, "hostile") as (page, _):
        expect(page.get_by_text(HOSTILE, exact=True).first).to_be_visible()
        assert "taken" not in page.title()
        page.get_by_role("link", name=HOSTILE, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
        assert overflow(page) <= 0
        assert page.locator("script, img").count() == 0


# -- the real exporter ------------------------------------------------------------------------------------------------


@pytest.fixture
def simulation() -> Simulation:
    simulation = Simulation()
    for name in ("gpu-workers", "ci-runners"):
        environment_id = simulation.create_environment(name)
        for state in ("queued", "queued", "active", "stopped"):
            simulation.create_work(environment_id, state=state)
    return simulation


@contextmanager
def status_page(browser: Browser, simulation: Simulation, tmp_path: Path) -> Iterator[Page]:
    """The page of an exporter on this simulation."""
    with listen(Address("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with SimulatorThread(simulation) as api, (tmp_path / "log").open("wb") as log:
        exporter = subprocess.Popen(
            [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}"],
            env={"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": api.base_url, "PATH": ""},
            stderr=log,
        )
        try:
            with page_of(browser) as page:
                visit(page, f"http://127.0.0.1:{port}/")
                yield page
        finally:
            exporter.terminate()
            exporter.wait(60)


def visit(page: Page, url: str) -> None:
    """Load a page, of a server that may be about to start."""
    for _ in range(600):
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
    for _ in range(300):
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError(f"{text} is not shown: {page.content()}")


def test_it_shows_what_the_api_has(browser: Browser, simulation: Simulation, tmp_path: Path) -> None:
    with status_page(browser, simulation, tmp_path) as page:
        until_shown(page, "All 2 environments OK")
        row = page.get_by_role("row").filter(has_text="gpu-workers")
        expect(row.get_by_role("cell").first).to_have_text("2")
        page.get_by_role("link", name="Metrics").click()
        expect(page.locator("body")).to_contain_text("qoder_work_items")


def test_it_says_what_failed(browser: Browser, simulation: Simulation, tmp_path: Path) -> None:
    first = next(iter(simulation.environments))
    simulation.faults.add(Status(status=403, environment_id=first))
    with status_page(browser, simulation, tmp_path) as page:
        until_shown(page, "cannot be read")
        expect(page.locator("body")).to_contain_text("the token may not read this environment")
        expect(page.locator("body")).to_contain_text("HTTP 403")
        expect(page.locator("body")).not_to_contain_text(DEFAULT_TOKEN)


def test_it_answers_while_the_api_does_not(browser: Browser, simulation: Simulation, tmp_path: Path) -> None:
    simulation.faults.add(Latency(seconds=30))
    with status_page(browser, simulation, tmp_path) as page:
        expect(page.get_by_role("heading", name="The environments to watch are being discovered")).to_be_visible()
