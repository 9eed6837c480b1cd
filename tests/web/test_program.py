"""The web configuration in the real program: at start, while it runs, in `check`, and at the end."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.end_to_end.running import without_settings
from tests.support.waiting import PATIENCE, free_port, until
from tests.web.certificates import certificates
from tests.web.test_webconfig import CASES, placed

USERS = f"basic_auth_users:\n  alice: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}\n"
VARIABLES = {"QODER_PAT": "pt-none", "QODER_BASE_URL": "http://127.0.0.1:9/api/v1/cloud"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env=without_settings(VARIABLES),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def started(file: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """The program with a web configuration: host and port, the process, and its log."""
    address, log = f"127.0.0.1:{free_port()}", file.with_name("log")
    command = [sys.executable, "-m", "exporter", f"--web.listen-address={address}", f"--web.config.file={file}"]
    with log.open("wb") as output, subprocess.Popen(command, env=without_settings(VARIABLES), stderr=output) as process:
        try:
            until(lambda: "listening" in log.read_text(), "the program to listen")
            yield address, process, log
        finally:
            process.kill()


@pytest.mark.parametrize("arguments", [["check"], ["--config.check"], []], ids=["check", "config.check", "start"])
def test_a_wrong_file_is_refused_with_the_reason(arguments: list[str], tmp_path: Path) -> None:
    file = placed(CASES / "junk-key.bad.yml", tmp_path)
    done = run(*arguments, f"--web.config.file={file}")
    assert done.returncode == 1
    assert f"{file}:3: tls_server_config.cert_filse: unknown key; did you mean `cert_file`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_names_what_is_wrong_in_both_files(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("scrape: {timeout: soon}\n")
    (tmp_path / "web.yml").write_text("rate_limit: {interval: often}\n")
    done = run("check", f"--config.file={tmp_path}/config.yaml", f"--web.config.file={tmp_path}/web.yml")
    assert done.returncode == 1
    assert "scrape.timeout: `soon` is not a duration" in done.stderr
    assert "rate_limit.interval: `often` is not a duration" in done.stderr


def test_check_says_that_both_files_are_usable(tmp_path: Path) -> None:
    file = placed(CASES / "client-san.good.yml", tmp_path)
    done = run("check", f"--web.config.file={file}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{file}: OK" in done.stdout.splitlines()


def test_it_serves_by_its_file_follows_its_changes_and_ends_with_clients_connected(tmp_path: Path) -> None:
    file = placed(CASES / "no-auth.good.yml", tmp_path)
    with started(file) as (address, process, log):
        host, port = address.split(":")
        with httpx.Client(base_url=f"https://{address}", verify=certificates().trusting(), timeout=PATIENCE) as client:
            assert client.get("/-/healthy").text == "Healthy.\n"
            assert "qoder_exporter_build_info" in client.get("/metrics").text
            file.write_text(file.read_text() + USERS)
            until(lambda: "web configuration loaded" in log.read_text(), "the change")
            assert client.get("/metrics").status_code == 401
            assert client.get("/metrics", auth=("alice", "right")).status_code == 200
            assert client.get("/-/healthy").status_code == 200
            file.write_text("tls_server_config: [\n")
            until(lambda: "web configuration not loaded" in log.read_text(), "the mistake")
            assert client.get("/metrics", auth=("alice", "right")).status_code == 200
            with socket.create_connection((host, int(port))) as silent, socket.create_connection((host, int(port))):
                silent.sendall(b"GET / HTTP/1.1\r\n")  # no TLS
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE) == 0
        lines = log.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line or ("level=error" in line and "not loaded" not in line)]
