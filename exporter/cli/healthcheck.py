"""The command healthcheck: for container engines, whose images have no curl."""

import contextlib
import http.client
import ssl
from collections.abc import Sequence

import click

from exporter.cli.failure import Failure
from exporter.cli.flags import Flags, takes
from exporter.config import ConfigError
from exporter.config.web import load_web
from exporter.web.listen import Address
from exporter.web.paths import HEALTHY

TIMEOUT_SECONDS = 4
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where all interfaces are reached


@click.command()
@takes("web_listen_address", "web_config_file")
def healthcheck(flags: Flags) -> None:
    """Ask a running exporter on this machine whether it is healthy: exit 0, or 1 and why not.

    It asks the address that the exporter is told to listen on by the same flag or environment variable, with or without
    TLS as the web configuration file says, and then the other way: a running exporter keeps what it has read while that
    file is being edited. A server that closes the connection once TLS is spoken, as one does that requires a client
    certificate, is healthy.
    """
    file = flags.web_config_file
    if file is None:
        check(flags.web_listen_address, [False])
        return
    try:
        tls = load_web(file).tls
    except ConfigError as error:
        check(flags.web_listen_address, [True, False], error.problems)
    else:
        check(flags.web_listen_address, [tls is not None, tls is None])


def check(addresses: Sequence[Address], ways: Sequence[bool], remarks: Sequence[object] = ()) -> None:
    """Ask the first of these addresses.

    Args:
        addresses: Where the exporter listens.
        ways: Whether to ask with TLS: one after the other until one succeeds.
        remarks: What else to say if none does.

    Raises:
        Failure: It does not answer, or not as a healthy exporter does.
    """
    address = addresses[0]
    if address.port == 0:
        raise Failure([f"{address} stands for any free port: give the one that the exporter listens on"])
    where = Address(_LOOPBACK.get(address.host, address.host), address.port)
    failures = [failure for secure in ways if (failure := _failure(where, secure=secure)) is not None]
    if len(failures) == len(ways):
        raise Failure([failures[0], *remarks])


def _failure(address: Address, *, secure: bool) -> str | None:
    """Why it is not healthy, asked in this way; None if it is."""
    try:
        status = _status(address, secure=secure)
    except (OSError, http.client.HTTPException) as error:
        return f"{address} does not answer: {error}"
    return None if status == http.client.OK else f"{address} answers {status} to {HEALTHY}: not a healthy exporter"


def _status(address: Address, *, secure: bool) -> int:
    connection: http.client.HTTPConnection
    if not secure:
        connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", HEALTHY)
            return connection.getresponse().status
    # The certificate is for the name that scrapers use. Here only this machine is asked, and nothing is sent.
    context = ssl._create_unverified_context()  # noqa: S323
    connection = http.client.HTTPSConnection(address.host, address.port, timeout=TIMEOUT_SECONDS, context=context)
    with contextlib.closing(connection):
        try:
            connection.connect()
        except ssl.SSLEOFError:  # in TLS 1.2, certificates are part of the handshake, and asyncio just closes
            return http.client.OK
        try:
            connection.request("GET", HEALTHY)
            return connection.getresponse().status
        except (ssl.SSLError, ConnectionError):
            return http.client.OK
