"""What the program tells the service manager that started it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.cli import supervisor
from exporter.simulator import DEFAULT_TOKEN
from tests.support.waiting import PATIENCE, free_port


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Where a service manager listens, and how it names that to its services."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@qoder-work-exporter-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        sock.settimeout(PATIENCE)
        yield sock, name


def test_it_is_ready_once_it_listens_whatever_the_api_does(manager: tuple[socket.socket, str], tmp_path: Path) -> None:
    heard, name = manager
    address = f"127.0.0.1:{free_port()}"
    variables = {"NOTIFY_SOCKET": name, "QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "exporter", f"--web.listen-address={address}"]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env=variables, stderr=log) as process,
    ):
        try:
            assert heard.recv(100) == b"READY=1"
            assert httpx.get(f"http://{address}/-/healthy").status_code == 200
            process.send_signal(signal.SIGTERM)
            assert heard.recv(100) == b"STOPPING=1"
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_without_a_service_manager_nobody_is_told() -> None:
    with capture_logs() as logged:
        supervisor.tell("READY=1", {})
    assert logged == []


def test_a_service_manager_that_is_gone_is_a_warning(tmp_path: Path) -> None:
    with capture_logs() as logged:
        supervisor.tell("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert [entry["event"] for entry in logged] == ["the service manager cannot be told"]
