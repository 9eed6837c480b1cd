"""The command healthcheck: for container engines, whose images have no curl."""

import contextlib
import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from exporter.cli.failure import Failure
from exporter.cli.flags import Flags, takes
from exporter.web.listen import Address
from exporter.web.paths import HEALTHY

TIMEOUT_SECONDS = 4
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where all interfaces are reached


_REQUIRED = ("RequireAnyClientCert", "RequireAndVerifyClientCert")


@dataclass(frozen=True, slots=True)
class Security:
    """How the server speaks TLS.

    Attributes:
        client_certificate: Whether it answers only those who show a certificate.
    """

    client_certificate: bool


@click.command()
@takes("web_listen_address", "web_config_file")
def healthcheck(flags: Flags) -> None:
    """Ask a running exporter on this machine whether it is healthy: exit 0, or 1 and why not.

    It asks the address that the exporter is told to listen on by the same flag or environment variable. Where the
    server requires a client certificate, a completed TLS handshake is all that is asked for.
    """
    check(flags.web_listen_address, _security(flags.web_config_file))


def check(addresses: Sequence[Address], security: Security | None) -> None:
    """Ask the first of these addresses.

    Raises:
        Failure: It does not answer, or not as a healthy exporter does.
    """
    address = addresses[0]
    if address.port == 0:
        raise Failure([f"{address} stands for any free port: give the one that the exporter listens on"])
    where = Address(_LOOPBACK.get(address.host, address.host), address.port)
    try:
        status = _status(where, security)
    except (OSError, http.client.HTTPException) as error:
        raise Failure([f"{where} does not answer: {error}"]) from error
    if status != http.client.OK:
        raise Failure([f"{where} answers {status} to {HEALTHY}: not a healthy exporter"])


def _status(address: Address, security: Security | None) -> int:
    connection: http.client.HTTPConnection
    if security is None:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_SECONDS)
    else:
        # The certificate is for the name that scrapers use. Here only this machine is asked, and nothing is sent.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT_SECONDS, context=context)
    with contextlib.closing(connection):
        connection.connect()
        if security is not None and security.client_certificate:
            return http.client.OK
        connection.request("GET", HEALTHY)
        return connection.getresponse().status


def _security(web_config_file: Path | None) -> Security | None:
    if web_config_file is None:
        return None
    try:
        document = yaml.safe_load(web_config_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Failure([f"{web_config_file}: {error}"]) from error
    tls = document.get("tls_server_config") if isinstance(document, dict) else None
    if not tls:
        return None
    return Security(isinstance(tls, dict) and tls.get("client_auth_type") in _REQUIRED)
