"""Write the checkpoint of this version: ``python -m tests.deploy.checkpoints.make``.

Once a version is released its file is never written again: the tests show that every later version reads it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from exporter import __version__
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.support.waiting import free_port, until

HERE = Path(__file__).parent
STATES = ("stopped",) * 230 + ("queued", "starting", "active", "stopping", "active")


def main() -> None:
    """Let an exporter read an environment, count what happens there, and end."""
    simulation = Simulation()
    environment_id = simulation.create_environment("gpu-workers")
    for number, state in enumerate(STATES):
        simulation.create_work(environment_id, state=state, metadata={"job": f"job-{number % 3}"})
    with SimulatorThread(simulation) as api, tempfile.TemporaryDirectory() as folder:
        checkpoint, config, port = Path(folder) / "checkpoint", Path(folder) / "config.yaml", free_port()
        config.write_text(
            f"accounts: [{{name: default, base_url: '{api.base_url}', token_env: QODER_PAT}}]\n"
            f"scrape: {{min_interval: 0s}}\nmetrics: {{metadata_labels: [job]}}\nhistory: {{checkpoint: checkpoint}}\n"
        )
        command = [
            sys.executable,
            "-m",
            "exporter",
            f"--config.file={config}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with subprocess.Popen(command, env=os.environ | {"QODER_PAT": DEFAULT_TOKEN}) as exporter:
            until(lambda: _shows(port, "qoder_work_history_complete{", "1.0"), "the whole history")
            simulation.create_work(environment_id, state="queued")
            simulation.create_work(environment_id, state="stopped")
            until(lambda: _shows(port, "qoder_work_created_total{", "2.0"), "two created items")
            exporter.terminate()
        (HERE / f"{__version__}.checkpoint").write_bytes(checkpoint.read_bytes())


def _shows(port: int, series: str, value: str) -> bool:
    try:
        lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    except httpx.TransportError:
        return False
    return any(line.startswith(series) and line.endswith(value) for line in lines)


if __name__ == "__main__":
    main()
