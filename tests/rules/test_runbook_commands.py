"""The commands in the runbooks do what they promise, tried on the simulated API."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.commands import main
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.rules.places import RUNBOOKS
from tests.support.exporting import exporting

PAGES = sorted(RUNBOOKS.glob("*.md"))
FIND_AND_STOP = ("qoder-work-exporter inspect", "/stop")
pytestmark = pytest.mark.program("sh", "curl", "jq")


def blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)


def asks_the_api_alone(block: str) -> bool:
    return "$API" in block and not re.search(r"^(qoder-work-exporter|journalctl|time )", block, re.MULTILINE)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation()


@pytest.fixture(scope="module")
def base_url(simulation: Simulation) -> Iterator[str]:
    with SimulatorThread(simulation) as server:
        yield server.base_url


def run(block: str, **variables: str) -> str:
    """Run a block by the plain shell with these variables, without its own assignments of them and its pauses."""
    kept = [line for line in block.splitlines() if not re.match(rf"({'|'.join(variables)})=", line)]
    script = "\n".join(["set -eu", "sleep() { :; }", *kept])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | variables | {"QODER_PAT": DEFAULT_TOKEN, "PATH": path}
    outcome = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, f"{block}\n{outcome.stdout}{outcome.stderr}"
    return outcome.stdout


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ("qoderworkqueuestalled", "queued"),
        ("qoderworkstuckstarting", "starting"),
        ("qoderworkdrainoverdue", "stopping"),
        ("qoderworkheartbeatlost", "active"),
    ],
)
def test_an_item_is_found_among_hundreds_and_stopped(
    page: str, state: str, simulation: Simulation, base_url: str, tmp_path: Path
) -> None:
    environment_id = simulation.create_environment(page)
    simulation.create_history(environment_id, 150)
    work_id = simulation.create_work(environment_id, state=state, created_at=time.time() - 3600)
    simulation.create_history(environment_id, 120)
    listing, stop = (
        next(block for block in blocks(RUNBOOKS / f"{page}.md") if mark in block) for mark in FIND_AND_STOP
    )

    with exporting(base_url, tmp_path) as exporter:
        found = run(listing, EXPORTER=exporter, ENVIRONMENT_ID=environment_id)
    run(stop, API=base_url, ENVIRONMENT_ID=environment_id, WORK_ID=work_id)

    assert re.findall(r"work_\w+", found) == [work_id]
    assert re.search(r"sess_\w+", found)
    assert simulation.truth(environment_id).counts["stopped"] == 271
    assert simulation.truth(environment_id).counts[state] == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_requests_to_the_api_are_answered(page: Path, simulation: Simulation, base_url: str) -> None:
    environment_id = simulation.create_environment(page.stem)
    work_id = simulation.create_work(environment_id)

    for block in filter(asks_the_api_alone, blocks(page)):
        said = run(block, API=base_url, ENVIRONMENT_ID=environment_id, WORK_ID=work_id)
        assert "error" not in said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_the_exporter_exist(page: Path) -> None:
    named = re.findall(r"^(?:time )?qoder-work-exporter (\w+)", "\n".join(blocks(page)), re.MULTILINE)
    assert set(named) <= set(main.commands)


def test_some_runbook_asks_the_api_and_some_the_exporter() -> None:
    everything = [block for page in PAGES for block in blocks(page)]
    assert len(list(filter(asks_the_api_alone, everything))) >= 10
    assert any("/metrics" in block for block in everything)
    assert any("qoder-work-exporter once" in block for block in everything)
