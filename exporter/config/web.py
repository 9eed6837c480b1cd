"""The web configuration file, in the format that all of Prometheus' exporters share (exporter-toolkit).

https://github.com/prometheus/exporter-toolkit/blob/v0.20.0/docs/web-configuration.md
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from exporter.config.decode import decode
from exporter.config.document import Document
from exporter.config.duration import Duration
from exporter.config.problem import ConfigError, KeyPath, Problem

MAX_BYTES = 1_048_576
"""Of the file, and of each file that it names."""

HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""The headers that can be set, with their values where not any will do."""

TLS_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
CLIENT_AUTH_TYPES = (
    *("NoClientCert", "RequestClientCert", "RequireAnyClientCert"),
    *("VerifyClientCertIfGiven", "RequireAndVerifyClientCert"),
)
CURVES = ("CurveP256", "CurveP384", "CurveP521", "X25519")

TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Always on with TLS 1.3, in Go, too."""

CIPHERS = {
    f"TLS_ECDHE_{key}_WITH_{ours}": f"ECDHE-{key}-{openssl}"
    for key in ("ECDSA", "RSA")
    for ours, openssl in {
        "AES_128_GCM_SHA256": "AES128-GCM-SHA256",
        "AES_256_GCM_SHA384": "AES256-GCM-SHA384",
        "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
        "AES_128_CBC_SHA": "AES128-SHA",
        "AES_256_CBC_SHA": "AES256-SHA",
    }.items()
}
"""Those of TLS 1.2 that Go deems secure, by Go's names, with OpenSSL's."""

_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


class TLSServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``tls_server_config``: each of certificate, key and client CA inline or as a file."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve_preferences: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True

    @property
    def enabled(self) -> bool:
        """Whether TLS is wanted at all, as the toolkit sees it."""
        return any((self.cert, self.cert_file, self.key, self.key_file, self.client_ca, self.client_ca_file)) or bool(
            self.client_auth_type
        )


class HTTPServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``http_server_config``. HTTP/2 is accepted as a setting, but HTTP/1.1 is all that is served."""

    http2: bool = True
    headers: dict[str, str | int | float | bool] = {}


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``rate_limit``: a token bucket; an interval of 0 is no limit."""

    interval: Duration = Duration(0)
    burst: int = 0


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file, with absolute paths and certificates read in."""

    tls_server_config: TLSServer | None = None
    http_server_config: HTTPServer | None = None
    basic_auth_users: dict[str, str] | None = None
    rate_limit: RateLimit | None = None

    @property
    def tls(self) -> TLSServer | None:
        """The TLS settings, or None for plain HTTP."""
        section = self.tls_server_config
        return section if section is not None and section.enabled else None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        tls = self.tls
        return (
            ()
            if tls is None
            else tuple(Path(name) for name in (tls.cert_file, tls.key_file, tls.client_ca_file) if name)
        )


def load_web(file: Path) -> WebConfig:
    """Read the web configuration file and check all of it but what only the TLS library can tell.

    Args:
        file: The file. The paths in it are relative to its directory.

    Raises:
        ConfigError: It cannot be used; the error names everything that is wrong.
    """
    try:
        return _load(Document(read(file)), file.parent.absolute())
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        message = f"cannot read the web configuration file: {_reason(error)}"
        raise ConfigError([Problem(message, source=str(file))]) from error
    except ConfigError as error:
        raise ConfigError(replace(problem, source=str(file)) for problem in error.problems) from error


def _load(document: Document, directory: Path) -> WebConfig:
    config = decode(document, WebConfig)
    problems = list(_problems(config))
    if not problems:
        config, problems = _complete(config, directory)
    if problems:
        raise ConfigError(replace(problem, line=document.line(problem.path)) for problem in problems)
    return config


def read(file: Path) -> bytes:
    """The bytes of a regular file of a sensible size.

    Raises:
        OSError: It cannot be read, or is something else.
    """
    if not stat.S_ISREG(file.stat().st_mode):  # a pipe would be waited for
        raise OSError("it is not a regular file")
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"it has more than {MAX_BYTES:,} bytes")
    return content


def _problems(config: WebConfig) -> Iterator[Problem]:
    http = config.http_server_config or HTTPServer()
    if config.tls is not None:
        yield from _tls_problems(config.tls, http2=http.http2)
    for name, value in http.headers.items():
        path: KeyPath = ("http_server_config", "headers", name)
        if name not in HEADERS:
            yield Problem(f"this header cannot be set; those that can are {', '.join(HEADERS)}", path)
        elif HEADERS[name] and value not in HEADERS[name]:
            yield Problem(f"must be {' or '.join(HEADERS[name])}", path)
        elif not _HEADER_VALUE.fullmatch(str(value)):
            yield Problem("must be printable ASCII", path)
    for user, password in (config.basic_auth_users or {}).items():
        if not _BCRYPT.fullmatch(password):  # it may be a password in clear: never repeat it
            yield Problem("not a bcrypt hash; make one with: htpasswd -nBC 10 ''", ("basic_auth_users", user))
    if config.rate_limit is not None and config.rate_limit.burst < 0:
        yield Problem("must not be negative", ("rate_limit", "burst"))


def _tls_problems(tls: TLSServer, *, http2: bool) -> Iterator[Problem]:
    def problem(key: str, message: str, index: int | None = None) -> Problem:
        return Problem(message, ("tls_server_config", key) if index is None else ("tls_server_config", key, index))

    for name in ("cert", "key"):
        if not getattr(tls, name) and not getattr(tls, f"{name}_file"):
            yield problem(f"{name}_file", f"missing: give one of {name}_file and {name}")
    for name in ("cert", "key", "client_ca"):
        if getattr(tls, name) and getattr(tls, f"{name}_file"):
            yield problem(name, f"{name}_file is given as well; keep one")
    if tls.client_auth_type not in ("", *CLIENT_AUTH_TYPES, "RequireClientCert"):
        yield problem("client_auth_type", f"must be one of {', '.join(CLIENT_AUTH_TYPES)}")
    verifies = tls.client_auth_type in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}
    if tls.client_auth_type in {"RequireAnyClientCert", "RequireClientCert"}:
        yield problem(
            "client_auth_type",
            "accepts any certificate, also one that its client made a moment ago, and is not supported here; use "
            "RequireAndVerifyClientCert",
        )
    elif (tls.client_ca or tls.client_ca_file) and tls.client_auth_type in {"", "NoClientCert"}:
        yield problem("client_ca_file", "client CAs are given, but no client_auth_type that asks for certificates")
    elif tls.client_allowed_sans is not None and not verifies:
        yield problem("client_allowed_sans", "needs client_auth_type RequireAndVerifyClientCert")
    yield from _protocol_problems(tls, http2=http2)


def _protocol_problems(tls: TLSServer, *, http2: bool) -> Iterator[Problem]:
    known = {
        "min_version": ([tls.min_version], TLS_VERSIONS),
        "max_version": ([tls.max_version], TLS_VERSIONS),
        "cipher_suites": (tls.cipher_suites, (*CIPHERS, *TLS13_CIPHERS)),
        "curve_preferences": (tls.curve_preferences, CURVES),
    }
    wrong = False
    for key, (values, allowed) in known.items():
        for value in values:
            if value not in allowed:
                wrong = True
                what = key.removesuffix("s").replace("_", " ")
                yield Problem(
                    f"unknown {what} `{value[:60]}`; known are {', '.join(allowed)}", ("tls_server_config", key)
                )
    if not wrong and TLS_VERSIONS.index(tls.min_version) > TLS_VERSIONS.index(tls.max_version):
        yield Problem("is above max_version", ("tls_server_config", "min_version"))
    required = {f"TLS_ECDHE_{key}_WITH_AES_128_GCM_SHA256" for key in ("RSA", "ECDSA")}
    if http2 and tls.cipher_suites and tls.min_version != "TLS13" and required.isdisjoint(tls.cipher_suites):
        yield Problem(
            f"HTTP/2 needs {' or '.join(sorted(required))}: add it, or set http_server_config.http2 to false",
            ("tls_server_config", "cipher_suites"),
        )


def _complete(config: WebConfig, directory: Path) -> tuple[WebConfig, list[Problem]]:
    """Make the paths absolute, and read what they name into the inline settings."""
    tls = config.tls
    changes: dict[str, str] = {}
    problems: list[Problem] = []
    if tls is None:
        return config, problems
    for name in ("cert", "key", "client_ca"):
        if given := getattr(tls, f"{name}_file"):
            file = directory / given
            changes[f"{name}_file"] = str(file)
            try:
                changes[name] = read(file).decode("ascii", "replace")
            except (OSError, ValueError) as error:
                problems.append(Problem(f"cannot read {file}: {_reason(error)}", ("tls_server_config", f"{name}_file")))
    tls = msgspec.structs.replace(tls, **changes)
    return msgspec.structs.replace(config, tls_server_config=tls), problems


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
