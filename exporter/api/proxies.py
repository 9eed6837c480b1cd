"""Which proxy the environment variables name for an address, by the rules of Go's ``httpproxy`` package.

``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` (or their lower-case names) count; ``ALL_PROXY`` does not, as in Go.
Loopback addresses are never reached through a proxy: the token would leave the machine in clear text.
"""

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from exporter.api.variables import VariableError

SCHEMES = ("http", "https")
"""The kinds of proxy that are supported; SOCKS is not."""

_PORTS = {"http": 80, "https": 443}

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class ProxyError(VariableError):
    """A proxy variable cannot be used; the message names the variable, and never quotes a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    Attributes:
        variable: The environment variable that names it.
        url: Its address, credentials included; never to be shown.
    """

    variable: str
    url: httpx.URL

    @property
    def address(self) -> httpx.URL:
        """The address without credentials."""
        return self.url.copy_with(userinfo=b"")

    @property
    def headers(self) -> dict[str, str]:
        """What to send to the proxy itself."""
        if not self.url.userinfo:
            return {}
        credentials = base64.b64encode(f"{self.url.username}:{self.url.password}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}

    def __str__(self) -> str:
        """The address without credentials, as errors show it."""
        return f"{self.url.scheme}://{self.url.netloc.decode('ascii')}"

    def __repr__(self) -> str:
        return f"Proxy({self})"


def proxy_for(base_url: str, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy through which to reach an address, or None to reach it directly.

    Raises:
        ProxyError: A variable that matters for this address is unusable.
    """
    url = httpx.URL(base_url)
    if url.scheme not in _PORTS:
        return None
    variable, value = _variable(environ, f"{url.scheme}_proxy")
    if not value:
        return None
    proxy = _parse(variable, value)
    exceptions = _variable(environ, "no_proxy")
    host, port = url.host.rstrip("."), url.port or _PORTS[url.scheme]
    return None if _is_loopback(host) or _is_excepted(*exceptions, host, port) else proxy


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Name and value of the variable that counts: the upper-case one if it says something."""
    for spelled in (name.upper(), name):
        if value := environ.get(spelled, "").strip():
            return spelled, value
    return name.upper(), ""


def _parse(variable: str, value: str) -> Proxy:
    """The proxy that a variable names; without a scheme it is ``http://``."""
    text = value if "://" in value else f"http://{value}"
    if text.partition("://")[0].lower() not in SCHEMES:
        scheme = text.partition("://")[0]
        shown = scheme if scheme.isascii() and scheme.isalnum() and len(scheme) <= 16 else "this kind"
        raise ProxyError(f"{variable}: a proxy of {shown} is not supported; use http:// or https://")
    try:
        url = httpx.URL(text)
        host, authority = url.host, text.rpartition("@")[2]
        known = (
            bool(host)
            and ("[" in authority) == (":" in host) == (_address(host) is not None and "]" in authority)
            and (url.port is None or 0 < url.port <= 65535)
        )
    except (httpx.InvalidURL, ValueError):
        known = False
    if not known:
        raise ProxyError(f"{variable}: this is not the address of a proxy; write http://host:port")
    return Proxy(variable, url)


def _address(host: str) -> _IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is None:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def _is_excepted(variable: str, value: str, host: str, port: int) -> bool:
    """Whether one of the comma-separated entries of ``NO_PROXY`` covers the host; every entry is checked."""
    entries = [entry for each in value.split(",") if (entry := each.strip().lower())]
    covered = [_covers(variable, entry, host.lower(), port) for entry in entries]
    return any(covered)


def _covers(variable: str, entry: str, host: str, port: int) -> bool:
    """Whether one entry covers a host: ``*``, a network, or an address or a domain with or without a port."""
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            raise ProxyError(f"{variable}: an entry with a slash is not a network in CIDR notation") from None
        return address is not None and address in network
    name, entry_port = _split_port(variable, entry)
    if entry_port is not None and entry_port != port:
        return False
    excepted = _address(name)
    if excepted is not None or address is not None:
        return excepted == address
    domain = name.removeprefix("*").rstrip(".")
    return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _split_port(variable: str, entry: str) -> tuple[str, int | None]:
    """An entry's host, without brackets, and its port; an IPv6 address without brackets has no port."""
    if entry.startswith("["):
        host, closed, rest = entry[1:].partition("]")
        if not closed or _address(host) is None or (rest and not rest.startswith(":")):
            raise ProxyError(f"{variable}: an entry in brackets is not an IPv6 address")
        port = rest[1:]
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, ""
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535):
        raise ProxyError(f"{variable}: an entry has a port that is not a number up to 65535")
    return host, int(port)
