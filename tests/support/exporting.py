"""An exporter of its own, as a process that discovers everything a simulated API has."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from exporter.simulator import DEFAULT_TOKEN
from tests.support.waiting import PATIENCE, free_port, until


@contextmanager
def exporting(base_url: str, folder: Path) -> Iterator[str]:
    """Run an exporter on an API, and give its address once everything there is has been read."""
    port = free_port()
    variables = {"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": base_url, "PATH": ""}
    command = [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=variables, stderr=log) as process:

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == 200
            return False

        try:
            until(ready, "the exporter is ready")
            httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
