"""The command healthcheck follows the address that the exporter is configured with."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import main
from exporter.cli.web import load_security
from exporter.simulator import Simulation, SimulatorThread
from tests.web.certificates import certificates
from tests.web.test_fuzz import server_thread


def asked(*arguments: str, **variables: str) -> tuple[int, str]:
    done = CliRunner(env=variables).invoke(main, ["healthcheck", *arguments])
    return done.exit_code, done.stderr


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where an exporter serves, on every interface."""
    command = [sys.executable, "-m", "exporter", "demo", "--web.listen-address=:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as exporter:
        try:
            assert exporter.stdout is not None
            yield next(int(found[1]) for line in exporter.stdout if (found := re.search(r"metrics .*:(\d+)/", line)))
        finally:
            exporter.terminate()


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0", "localhost"])
def test_it_passes_on_an_exporter_at_the_flags_address(port: int, host: str) -> None:
    assert asked(f"--web.listen-address={host}:{port}") == (0, "")


def test_it_passes_on_an_exporter_at_the_variables_address(port: int) -> None:
    assert asked(QODER_EXPORTER_WEB_LISTEN_ADDRESS=f":{port}") == (0, "")


def test_it_fails_where_nothing_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        assert asked(f"--web.listen-address={address}") == (
            1,
            f"{address} does not answer: [Errno 111] Connection refused\n",
        )


def test_it_fails_on_another_server() -> None:
    with SimulatorThread(Simulation()) as server:
        address = server.url.removeprefix("http://")
        status, said = asked(f"--web.listen-address={address}")
    assert status == 1
    assert re.fullmatch(rf"{address} answers 4\d\d to /-/healthy: not a healthy exporter\n", said)


def test_it_cannot_ask_any_free_port() -> None:
    status, said = asked("--web.listen-address=:0")
    assert status == 1
    assert "give the one that the exporter listens on" in said


PLAIN = "tls_server_config: {min_version: TLS12}  # no certificate: no TLS\n"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
OLD_TLS = TLS.replace("}", ", max_version: TLS12}")
CA = ", client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}"
FILES = {
    "plain": PLAIN,
    "TLS": TLS,
    "client certificates": TLS.replace("}", CA),
    "client certificates in TLS 1.2": OLD_TLS.replace("}", CA),
    "half of a file": "tls_server_config: {cert_fi",
    "a missing certificate": TLS.replace("server.crt", "gone.crt"),
    "not there": "",
}


@pytest.mark.parametrize("now", FILES)
@pytest.mark.parametrize("served", [name for name in FILES if "certificates" in name or name in ("plain", "TLS")])
def test_a_healthy_exporter_is_healthy_whatever_its_file_says_by_now(tmp_path: Path, served: str, now: str) -> None:
    file = tmp_path / "web.yml"
    certificates().write(tmp_path)
    file.write_text(FILES[served])
    with server_thread(load_security(file)) as (address, _):
        if now == "not there":
            file.unlink()
        else:
            file.write_text(FILES[now])
        place = f"--web.listen-address={address.partition('://')[2]}"
        assert asked(place, QODER_EXPORTER_WEB_CONFIG_FILE=str(file)) == (0, "")


def test_without_a_file_it_fails_on_a_server_that_speaks_tls(tmp_path: Path) -> None:
    certificates().write(tmp_path)
    (tmp_path / "web.yml").write_text(TLS)
    with server_thread(load_security(tmp_path / "web.yml")) as (address, _):
        assert asked(f"--web.listen-address={address.partition('://')[2]}")[0] == 1


def test_it_names_a_server_file_that_cannot_be_read(tmp_path: Path) -> None:
    status, said = asked("--web.config.file", str(tmp_path / "nowhere.yml"))
    assert status == 1
    assert "nowhere.yml" in said
