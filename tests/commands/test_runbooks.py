"""Every block of commands in the runbooks runs, on a simulated API, an exporter on it and a Prometheus."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.commands import standins
from tests.commands.blocks import Block, everything, run
from tests.commands.servers import prometheus
from tests.support.exporting import exporting

BLOCKS = [block for block in everything() if block.page.startswith("docs/runbooks/")]
NEEDS_A_CLUSTER = "kubectl get pods"
"""Asks a cluster for pods; tests/commands/test_kubernetes.py runs it against an API server."""


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation()


@pytest.fixture(scope="module")
def base_url(simulation: Simulation) -> Iterator[str]:
    with SimulatorThread(simulation) as server:
        yield server.base_url


@pytest.fixture(scope="module")
def environment_id(simulation: Simulation) -> str:
    """An environment with an item in every state."""
    environment_id = simulation.create_environment("gpu-workers")
    for state in ("queued", "starting", "active", "stopping", "stopped"):
        simulation.create_work(environment_id, state=state, created_at=time.time() - 3600)
    return environment_id


@pytest.fixture(scope="module")
def places(environment_id: str, base_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What stands in the runbooks for the user's machines, and what stands for it here."""
    token = tmp_path_factory.mktemp("secrets") / "qoder-pat"
    token.write_text(DEFAULT_TOKEN)
    monitoring = tmp_path_factory.mktemp("prometheus")
    with exporting(base_url, tmp_path_factory.mktemp("exporter")) as exporter, prometheus(monitoring) as server:
        yield {
            "http://localhost:10190": exporter,
            "http://prometheus:9090": server,
            "https://api.qoder.com/ ": f"{base_url}/environments ",
            "/run/secrets/qoder-pat": str(token),
            "/tmp/answer": str(monitoring / "answer"),
            "/tmp/metrics.txt": str(monitoring / "metrics.txt"),
        }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"{standins.place(tmp_path_factory.mktemp('standins'))}{os.pathsep}"


@pytest.mark.program("bash", "curl", "jq", "prometheus")
@pytest.mark.parametrize("block", [block for block in BLOCKS if NEEDS_A_CLUSTER not in block.text], ids=str)
def test_every_block_runs(
    block: Block,
    simulation: Simulation,
    environment_id: str,
    base_url: str,
    places: dict[str, str],
    path: str,
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"accounts: [{{name: default, base_url: '{base_url}', token_env: QODER_PAT}}]\n")
    said = run(
        block.text,
        cwd=tmp_path,
        variables={
            "API": base_url,
            "CHECKPOINT": str(tmp_path / "checkpoint"),
            "CONFIG": str(config),
            "ENVIRONMENT_ID": environment_id,
            "EXPORTER": places["http://localhost:10190"],
            "QODER_BASE_URL": base_url,
            "QODER_PAT": DEFAULT_TOKEN,
            "WORK_ID": simulation.create_work(environment_id),
        },
        places=places,
        path=path,
    )
    assert '"error"' not in said


def test_a_stand_in_is_called_by_a_runbook_and_says_only_what_can_be_logged() -> None:
    text = "\n".join(block.text for block in BLOCKS)
    assert {name for name in standins.REASONS if name not in text} == set()
    assert "reading the whole list" in standins.messages()
