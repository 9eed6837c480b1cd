"""What the exporter does when a reload fails, and how it ends while things around it hang, as a user sees it."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from exporter.simulator import Latency, Simulation
from tests.test_cli import (
    TOKEN,
    Running,
    api,
    environ,
    eventually,
    get,
    items,
    samples,
    serving,
    simulation,
    start,
    true_items,
)

__all__ = ["api", "environ", "simulation", "start"]

ANYWHERE = "--web.listen-address=127.0.0.1:0"
END_SECONDS = 30
"""How long an end may take where other tests keep all cores busy; it is less than five seconds on an idle machine, and
without end, or as long as the resolver likes, where something is waited for."""


def shown(address: str, name: str) -> float:
    return sum(sample.value for sample in samples(get(f"{address}/metrics").text) if sample.name == name)


@pytest.fixture
def file(tmp_path: Path, api: str) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(f"accounts: [{{base_url: '{api}', token_env: QODER_PAT}}]\n")
    return file


BAD = {
    "an authority that is gone": "accounts: [{base_url: 'https://localhost/v1', token_env: QODER_PAT}]",
    "a path too long": "history: {checkpoint: " + "n" * 300 + "}",
    "a NUL": 'history: {checkpoint: "a\\0b"}',
    "a host that no resolver takes": "accounts: [{base_url: 'https://a..b/v1', token_env: QODER_PAT}]",
    "no YAML": "[",
    "not there": "",
}


@pytest.mark.parametrize("how", BAD)
def test_a_reload_that_fails_is_told_and_changes_nothing(
    start: Callable[..., Running], file: Path, simulation: Simulation, tmp_path: Path, how: str
) -> None:
    gone = tmp_path / "authorities.pem"
    started = start(
        ANYWHERE, f"--config.file={file}", environ={"QODER_PAT": TOKEN, "SSL_CERT_FILE": str(gone), "NO_PROXY": "*"}
    )
    address = serving(started)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    good = file.read_text()
    if how == "not there":
        file.unlink()
    else:
        file.write_text(BAD[how])
    answer = httpx.post(f"{address}/-/reload", timeout=60)
    assert answer.status_code == 500
    assert answer.text.strip()
    assert "Traceback" not in answer.text
    assert shown(address, "qoder_exporter_config_last_reload_successful") == 0
    bad = file.read_text() if file.exists() else None
    file.write_text(good)
    assert httpx.post(f"{address}/-/reload", timeout=60).status_code == 200
    assert shown(address, "qoder_exporter_config_last_reload_successful") == 1
    file.unlink() if bad is None else file.write_text(bad)
    started.process.send_signal(signal.SIGHUP)
    eventually(lambda: shown(address, "qoder_exporter_config_last_reload_successful") == 0 or None)
    assert "configuration not loaded; the old one stays" in started.err
    assert items(get(f"{address}/metrics").text) == true_items(simulation)
    assert started.stop() == 0
    assert "Traceback" not in started.err


def test_a_configuration_from_a_pipe_is_served_and_cannot_be_loaded_again(
    start: Callable[..., Running], file: Path, simulation: Simulation, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(file.read_text()))
    writer.start()
    started = start(ANYWHERE, f"--config.file={pipe}", environ={"QODER_PAT": TOKEN})
    address = serving(started)
    writer.join()
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    reader = os.open(pipe, os.O_RDWR)  # or opening the pipe would wait for a writer
    try:
        answer = httpx.post(f"{address}/-/reload", timeout=60)
    finally:
        os.close(reader)
    assert answer.status_code == 500
    assert "cannot be read a second time" in answer.text
    assert started.stop() == 0
    assert "Traceback" not in started.err


def end(started: Running) -> float:
    """End it, and return the seconds that took."""
    begin = time.monotonic()
    assert started.stop() == 0
    return time.monotonic() - begin


def test_it_ends_soon_while_the_api_hangs(
    start: Callable[..., Running], environ: dict[str, str], simulation: Simulation, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("history: {checkpoint: progress}\nscrape: {min_interval: 0}\n")
    started = start(ANYWHERE, f"--config.file={file}", environ=environ)
    address = serving(started)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    simulation.faults.add(Latency(seconds=3600))
    scrape = threading.Thread(target=get, args=(f"{address}/metrics",))
    simulation.traffic.reset()
    scrape.start()
    eventually(lambda: simulation.traffic.peak_in_flight.get("list"))
    assert end(started) < END_SECONDS
    scrape.join()
    assert (tmp_path / "progress").exists()
    assert sorted(os.listdir(tmp_path)) == ["0.err", "0.out", "config.yaml", "progress"]
    assert "Traceback" not in started.err


def test_a_resolver_that_swallows_queries_holds_up_no_scrape_and_no_end(
    start: Callable[..., Running], simulation: Simulation, api: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, sys, time\n"
        "resolve = socket.getaddrinfo\n"
        "def hang(host, *args, **kwargs):\n"
        "    if host != 'resolver.invalid':\n"
        "        return resolve(host, *args, **kwargs)\n"
        "    sys.stderr.write('asked\\n')\n"
        "    sys.stderr.flush()\n"
        "    time.sleep(3600)\n"
        "socket.getaddrinfo = hang\n"
    )
    file = tmp_path / "config.yaml"
    file.write_text(
        "accounts:\n"
        f"  - {{name: near, base_url: '{api}', token_env: QODER_PAT}}\n"
        "  - {name: lost, base_url: 'https://resolver.invalid/v1', token_env: QODER_PAT, request_timeout: 500ms}\n"
    )
    started = start(
        f"--config.file={file}",
        ANYWHERE,
        environ={"QODER_PAT": TOKEN, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    address = serving(started)
    started.wait_for("(asked)")
    for _ in range(3):
        begin = time.monotonic()
        answer = get(f"{address}/metrics", X_Prometheus_Scrape_Timeout_Seconds="2")
        assert answer.status_code == 200
        assert time.monotonic() - begin < END_SECONDS
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    text = eventually(
        lambda: lost if 'requests_total{account="lost"' in (lost := get(f"{address}/metrics").text) else ""
    )
    assert 'qoder_exporter_discovery_up{account="lost"} 0.0' in text
    assert 'qoder_exporter_discovery_up{account="near"} 1.0' in text
    assert started.err.count("asked\n") == 1  # at most one thread hangs, however often a request is made
    seconds = end(started)
    print(f"it ended {seconds:.1f} s after SIGTERM")
    assert seconds < END_SECONDS
    assert "Traceback" not in started.err


def test_a_token_file_that_becomes_a_pipe_blocks_nothing(
    start: Callable[..., Running], api: str, simulation: Simulation, tmp_path: Path
) -> None:
    token, file = tmp_path / "token", tmp_path / "config.yaml"
    token.write_text(TOKEN)
    file.write_text(f"accounts: [{{base_url: '{api}', token_file: token}}]\nscrape: {{min_interval: 0}}\n")
    started = start(ANYWHERE, f"--config.file={file}")
    address = serving(started)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    token.unlink()
    os.mkfifo(token)
    eventually(lambda: shown(address, "qoder_work_refresh_failures_total") or None)
    assert get(f"{address}/-/healthy").is_success
    assert items(get(f"{address}/metrics").text) == true_items(simulation)
    assert end(started) < END_SECONDS
    assert "Traceback" not in started.err


def test_a_checkpoint_of_another_process_is_noticed_and_left_alone(
    start: Callable[..., Running], environ: dict[str, str], simulation: Simulation, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("history: {checkpoint: progress}\n")
    first = start(ANYWHERE, f"--config.file={file}", environ=environ)
    eventually(lambda: items(get(f"{serving(first)}/metrics").text) == true_items(simulation) or None)
    assert first.stop() == 0
    first = start(ANYWHERE, f"--config.file={file}", environ=environ)
    first.wait_for("(checkpoint read)")
    second = start(ANYWHERE, f"--config.file={file}", environ=environ)
    second.wait_for("(another process uses the checkpoint)")
    before = (tmp_path / "progress").read_bytes()
    simulation.create_work(next(iter(simulation.environments)))
    get(f"{serving(second)}/metrics")
    assert second.stop() == 0
    assert (tmp_path / "progress").read_bytes() == before
    assert "checkpoint cannot be written" in second.err
    assert first.stop() == 0


SLOW_DISK = """
import os, sys, time
import exporter.tracking.keeper as keeper
keeper.CHECKPOINT_INTERVAL = 0.2
sync = os.fsync
def slow(handle):
    sys.stderr.write("syncing\\n")
    sys.stderr.flush()
    time.sleep({seconds})
    sync(handle)
os.fsync = slow
"""


@pytest.mark.parametrize("seconds", [0.5, 3600], ids=["slow", "for ever"])
def test_a_stop_in_the_middle_of_writing_the_checkpoint_leaves_a_valid_one(
    start: Callable[..., Running], environ: dict[str, str], simulation: Simulation, tmp_path: Path, seconds: float
) -> None:
    """A disk that takes its time is waited for, one that never answers is not; the next start removes what is left."""
    (tmp_path / "sitecustomize.py").write_text(SLOW_DISK.format(seconds=seconds))
    (tmp_path / "state").mkdir()
    file = tmp_path / "config.yaml"
    file.write_text("history: {checkpoint: state/progress}\nscrape: {min_interval: 0}\n")
    slowly = environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    started = start(ANYWHERE, f"--config.file={file}", environ=slowly)
    address = serving(started)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    started.wait_for("(syncing)")
    assert end(started) < END_SECONDS
    assert "Traceback" not in started.err
    if seconds < END_SECONDS:
        assert os.listdir(tmp_path / "state") == ["progress"]
    again = start(ANYWHERE, f"--config.file={file}", environ=environ)
    address = serving(again)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    if seconds < END_SECONDS:
        again.wait_for("(checkpoint read)")
    assert again.stop() == 0
    assert os.listdir(tmp_path / "state") == ["progress"]
    assert not [line for line in again.err.splitlines() if "level=info" not in line]


def connections(port: int) -> int:
    """Connections to a port of this machine that its server still has open."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established, closed_by_the_client = "01", "08"
    return sum(row[1].endswith(f":{port:04X}") and row[3] in (established, closed_by_the_client) for row in rows)


def test_a_scraper_that_leaves_in_the_middle_takes_nothing_with_it(
    start: Callable[..., Running], environ: dict[str, str], simulation: Simulation, tmp_path: Path
) -> None:
    """The refresh that its scrape has begun goes on, and serves the next one."""
    file = tmp_path / "config.yaml"
    file.write_text("scrape: {min_interval: 0, max_staleness: 10m}\n")
    started = start(ANYWHERE, f"--config.file={file}", environ=environ)
    address = serving(started)
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    port = int(address.rpartition(":")[2])
    simulation.faults.add(Latency(seconds=1.0))
    for _ in range(3):
        simulation.create_work(next(iter(simulation.environments)))
        simulation.traffic.reset()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/metrics", timeout=httpx.Timeout(60, read=0.2))
        eventually(lambda: simulation.traffic.requests("list") or None)
    simulation.faults.clear()
    eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
    eventually(lambda: connections(port) == 0 or None)
    with socket.create_connection(("127.0.0.1", port)):
        eventually(lambda: connections(port) == 1 or None)  # so that this can fail
    assert shown(address, "qoder_work_refresh_failures_total") == 0
    assert started.stop() == 0
    assert not [line for line in started.err.splitlines() if "level=info" not in line]
