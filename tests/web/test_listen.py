"""Listening sockets and the addresses users write."""

import socket

import pytest

from exporter.web.listen import Address, ListenError, listen, url

IPV6 = socket.has_dualstack_ipv6()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10190", Address("", 10190)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:80", Address("localhost", 80)),
        ("[::1]:9000", Address("::1", 9000)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
    ],
)
def test_an_address_reads_as_it_is_written(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "10190", "localhost", "localhost:", ":http", "::1:9000", "[::1]", ":65536", ":-1", "a b:1", "[]:1", ":²"],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address; write host:port, for example :10190"):
        Address.parse(text)


@pytest.mark.parametrize("host", ["", pytest.param("::", marks=pytest.mark.skipif(not IPV6, reason="no IPv6 here"))])
def test_all_interfaces_take_ipv4_and_ipv6(host: str) -> None:
    with listen(Address(host, 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if IPV6:
            socket.create_connection(("::1", port)).close()
        assert url(server) == f"http://127.0.0.1:{port}"


def test_one_interface_takes_no_other() -> None:
    with listen(Address("127.0.0.1", 0)) as server:
        assert server.getsockname()[0] == "127.0.0.1"
        assert url(server) == f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets() -> None:
    with listen(Address("::1", 0)) as server:
        assert url(server) == f"http://[::1]:{server.getsockname()[1]}"


def test_a_name_is_resolved() -> None:
    with listen(Address("localhost", 0)) as server:
        assert server.getsockname()[0] in {"127.0.0.1", "::1"}


def test_a_port_in_use_is_named() -> None:
    with listen(Address("127.0.0.1", 0)) as server:
        taken = Address("127.0.0.1", server.getsockname()[1])
        with pytest.raises(ListenError, match=rf"^cannot listen on {taken}: the port is already in use; stop what"):
            listen(taken)
        with pytest.raises(ListenError, match=rf"^cannot listen on :{taken.port}: the port is already in use"):
            listen(Address("", taken.port))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(
        ListenError, match=r"^cannot listen on 192\.0\.2\.1:0: this machine does not have that address$"
    ):
        listen(Address("192.0.2.1", 0))


def test_a_name_that_does_not_resolve_is_refused() -> None:
    with pytest.raises(
        ListenError, match=r"^cannot listen on no-such-host\.invalid:0: the host name cannot be resolved"
    ):
        listen(Address("no-such-host.invalid", 0))
