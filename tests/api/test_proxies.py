"""Which proxy is used for an address: as Go's ``httpproxy`` decides, and never for a loopback address."""

import asyncio

import pytest

from exporter.api import errors
from exporter.api.certificates import CertificatesError, trusted
from exporter.api.proxies import ProxyError, proxy_for
from exporter.api.transport import open_transport
from exporter.api.variables import VariableError
from tests.api.harness import ENVIRONMENT, TOKEN, at_once, client
from tests.api.raw import Raw, answer

PROXY = "http://user:hunter2@proxy.test:3128"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def used(base_url: str, **environ: str) -> str | None:
    proxy = proxy_for(base_url, environ)
    return None if proxy is None else str(proxy)


@pytest.mark.parametrize(
    ("base_url", "environ", "proxy"),
    [
        ("https://api.test", {}, None),
        ("https://api.test", {"HTTPS_PROXY": PROXY}, "http://proxy.test:3128"),
        ("https://api.test", {"https_proxy": PROXY}, "http://proxy.test:3128"),
        ("https://api.test", {"HTTPS_PROXY": "", "https_proxy": PROXY}, "http://proxy.test:3128"),
        ("https://api.test", {"HTTPS_PROXY": "http://a:1", "https_proxy": PROXY}, "http://a:1"),
        ("https://api.test", {"HTTPS_PROXY": "proxy.test:3128"}, "http://proxy.test:3128"),
        ("https://api.test", {"HTTPS_PROXY": "https://proxy.test"}, "https://proxy.test"),
        ("https://api.test", {"HTTPS_PROXY": "http://[::2]:3128"}, "http://[::2]:3128"),
        ("https://api.test", {"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, None),
        ("http://api.test", {"HTTP_PROXY": PROXY}, "http://proxy.test:3128"),
        ("http://api.test", {"HTTPS_PROXY": PROXY}, None),
    ],
)
def test_the_variable_of_the_scheme_counts(base_url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert used(base_url, **environ) == proxy


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "LOCALHOST", "api.localhost", "localhost.", "[::ffff:127.0.0.1]"],
)
def test_a_loopback_address_is_never_reached_through_a_proxy(host: str) -> None:
    assert used(f"http://{host}:8080/api", HTTP_PROXY=PROXY) is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("api.test", "*", True),
        ("api.test", "other.test, api.test", True),
        ("api.test", "test", True),
        ("api.test", ".test", True),
        ("api.test", "*.test", True),
        ("api.test", "API.TEST", True),
        ("api.test", "pi.test", False),
        ("api.test", ".api.test", False),
        ("api.test", "api.test:8080", True),
        ("api.test", "api.test:443", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3/24", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:8080", True),
        ("10.1.2.3", "10.1.2.3:1", False),
        ("10.1.2.3", "3", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00::1]", True),
        ("[fd00::1]", "[fd00:0::1]:8080", True),
        ("[fd00::1]", "[fd00::1]:1", False),
        ("[fe00::1]", "fd00::/8", False),
        ("api.test", "10.0.0.0/8,,  ,", False),
    ],
)
def test_no_proxy_is_understood_as_go_does(host: str, no_proxy: str, direct: bool) -> None:
    assert (used(f"http://{host}:8080/api", HTTP_PROXY=PROXY, NO_PROXY=no_proxy) is None) is direct


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"HTTPS_PROXY": "socks5://user:hunter2@proxy.test:1080"}, "HTTPS_PROXY: a proxy of socks5 is not supported"),
        ({"HTTPS_PROXY": "hunter2 hunter2://x"}, "HTTPS_PROXY: a proxy of this kind is not supported"),
        ({"https_proxy": "http://user:hunter2@proxy.test:99999"}, "https_proxy: this is not the address of a proxy"),
        ({"HTTPS_PROXY": "http://user:hunter2@"}, "HTTPS_PROXY: this is not the address of a proxy"),
        ({"HTTPS_PROXY": "http://user:hunter2@proxy.test:port"}, "HTTPS_PROXY: this is not the address of a proxy"),
        ({"HTTPS_PROXY": "http://[hunter2"}, "HTTPS_PROXY: this is not the address of a proxy"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/33"}, "NO_PROXY: an entry with a slash is not a network"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*,x:99999"}, "NO_PROXY: an entry has a port that is not a number"),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "[::1"}, "no_proxy: an entry in brackets is not an IPv6 address"),
    ],
)
def test_an_unusable_variable_is_refused_in_one_line_without_its_password(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ProxyError) as refusal:
        proxy_for("https://api.test", environ)
    assert str(refusal.value).startswith(words)
    assert len(str(refusal.value).splitlines()) == 1
    assert "hunter2" not in repr(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


async def test_requests_go_through_the_proxy_and_its_failures_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Raw(answer()).listening() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:hunter2@{proxy.authority}")
        async with client("http://api.test/api") as api:
            assert (await api.stats(ENVIRONMENT, deadline=at_once())).value.depth == 3
            assert proxy.heads[0].startswith(f"GET http://api.test/api/environments/{ENVIRONMENT}/work/stats HTTP/1.1")
            assert "proxy-authorization: basic " in proxy.heads[0].lower()

            async def hang_up(writer: asyncio.StreamWriter) -> None:
                writer.transport.abort()

            proxy.then(hang_up)
            with pytest.raises(errors.NetworkError) as failure:
                await api.stats(ENVIRONMENT, deadline=at_once())
    assert f" (through the proxy http://{proxy.authority})" in str(failure.value)
    assert "hunter2" not in repr(failure.value)


async def test_the_token_of_https_does_not_reach_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Raw(answer(status="403 Forbidden")).listening() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@{proxy.authority}")
        async with client("https://api.test/api") as api:
            with pytest.raises(errors.NetworkError) as failure:
                await api.stats(ENVIRONMENT, deadline=at_once())
    words = f"stats: the proxy answered HTTP 403 (through the proxy http://{proxy.authority})"
    assert str(failure.value).startswith(words)
    assert proxy.heads[0].startswith("CONNECT api.test:443 ")
    assert TOKEN not in "".join(proxy.heads)


@pytest.mark.parametrize(
    ("variable", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "cannot be read: No such file or directory"),
        ("SSL_CERT_FILE", "no certificate", "holds no usable certificates"),
        ("SSL_CERT_FILE", "", "holds no usable certificates"),
        ("SSL_CERT_DIR", None, "cannot be read: No such file or directory"),
        ("SSL_CERT_DIR", "a file", "cannot be read: Not a directory"),
    ],
)
def test_unusable_certificates_are_refused_in_one_line(
    variable: str, content: str | None, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    path = f"{tmp_path}/certificates"
    if content is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    monkeypatch.setenv(variable, path)
    with pytest.raises(CertificatesError) as refusal:
        trusted()
    assert str(refusal.value) == f"{variable}: {path} {words}"
    with pytest.raises(VariableError):
        open_transport("https://api.test")
