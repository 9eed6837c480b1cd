"""From the web configuration file to what protects the server."""

from pathlib import Path

from exporter.config import ConfigError
from exporter.config.problem import Problem
from exporter.config.web import CIPHERS, TLS13_CIPHERS, RateLimit, TLSServer, WebConfig, load_web
from exporter.web.security import Rate, Security, SecurityError, Watched
from exporter.web.tls import TLSError, TLSSettings, make_context

_CLIENT_CERTIFICATE = {"VerifyClientCertIfGiven": False, "RequireAndVerifyClientCert": True}
_VERSIONS = {"TLS10": "TLSv1", "TLS11": "TLSv1_1", "TLS12": "TLSv1_2", "TLS13": "TLSv1_3"}


def load_security(file: Path | None) -> Security:
    """Read the file and everything that it names; without a file nothing is protected.

    Raises:
        ConfigError: It cannot be used; the error names everything that is wrong.
    """
    if file is None:
        return Security()
    config = load_web(file)
    try:
        return _security(config, file)
    except TLSError as error:
        raise ConfigError([Problem(str(error), ("tls_server_config",), source=str(file))]) from error


def watch_security(file: Path | None) -> Watched | None:
    """The settings of a file, which are read again when it changes; None without a file.

    Raises:
        ConfigError: It cannot be used to begin with.
    """
    if file is None:
        return None

    def load() -> Security:
        try:
            return load_security(file)
        except ConfigError as error:
            raise SecurityError([str(problem) for problem in error.problems]) from error

    return Watched(load, load_security(file))


def _security(config: WebConfig, file: Path) -> Security:
    tls = config.tls
    http = config.http_server_config
    allowed = tls.client_allowed_sans if tls is not None else None
    return Security(
        tls=None if tls is None else make_context(_tls_settings(tls)),
        allowed_names=None if allowed is None else frozenset(allowed),
        users=config.basic_auth_users or {},
        headers={} if http is None else {name: str(value) for name, value in http.headers.items()},
        rate=_rate(config.rate_limit),
        files=(file.absolute(), *config.files),
    )


def _tls_settings(tls: TLSServer) -> TLSSettings:
    ciphers = tuple(CIPHERS[name] for name in tls.cipher_suites if name in CIPHERS)
    return TLSSettings(
        certificate=tls.cert,
        key=tls.key,
        client_cas=tls.client_ca,
        client_certificate=_CLIENT_CERTIFICATE.get(tls.client_auth_type),
        minimum=_VERSIONS[tls.min_version],
        maximum=_VERSIONS[tls.max_version],
        ciphers=ciphers,
        tls13_only=not ciphers and any(name in TLS13_CIPHERS for name in tls.cipher_suites),
        curves=tls.curve_preferences,
        server_chooses=tls.prefer_server_cipher_suites,
    )


def _rate(limit: RateLimit | None) -> Rate | None:
    return None if limit is None or not limit.interval else Rate(limit.interval, limit.burst)
