"""The command healthcheck follows the address that the exporter is configured with."""

import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from exporter.cli import main
from exporter.simulator import Simulation, SimulatorThread

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
MUTUAL_TLS = TLS.replace("}", ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}")


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


@contextmanager
def tls_server(*, client_certificates: bool) -> Iterator[int]:
    """A server that answers every request with 200, over TLS alone."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("exporter.example.org").configure_cert(context)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(4096)
                        secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                except ssl.SSLError:
                    connection.close()  # the client has no certificate

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("client_certificates", [False, True])
def test_it_speaks_tls_where_the_server_is_told_to(tmp_path: Path, client_certificates: bool) -> None:
    (tmp_path / "web.yml").write_text(MUTUAL_TLS if client_certificates else TLS)
    with tls_server(client_certificates=client_certificates) as port:
        address = f"--web.listen-address=127.0.0.1:{port}"
        assert asked(address, QODER_EXPORTER_WEB_CONFIG_FILE=str(tmp_path / "web.yml")) == (0, "")


def test_without_tls_it_fails_on_a_server_that_has_it() -> None:
    with tls_server(client_certificates=False) as port:
        assert asked(f"--web.listen-address=127.0.0.1:{port}")[0] == 1


def test_it_names_a_server_file_that_cannot_be_read(tmp_path: Path) -> None:
    status, said = asked("--web.config.file", str(tmp_path / "nowhere.yml"))
    assert status == 1
    assert "nowhere.yml" in said
