"""TLS settings of the server, as OpenSSL understands them, and who among the clients is let in."""

import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


class TLSError(ValueError):
    """TLS settings that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """What a server's TLS is made of.

    Attributes:
        certificate: The server's certificate, then those between it and its CA, as PEM.
        key: Its private key, as PEM.
        client_cas: The CAs of client certificates, as PEM; empty for those that the machine trusts.
        client_certificate: Whether clients must (True), may (False) or need not (None) show a certificate.
        minimum: The oldest TLS version: ``TLSv1_2`` and the like.
        maximum: The newest one.
        ciphers: OpenSSL's names of the cipher suites of TLS 1.2; empty for OpenSSL's own choice.
        tls13_only: Whether TLS 1.2 has no cipher suite left.
        curves: Go's names of the curves; empty for OpenSSL's own choice.
        server_chooses: Whether the server's order of ciphers counts.
    """

    certificate: str
    key: str
    client_cas: str = ""
    client_certificate: bool | None = None
    minimum: str = "TLSv1_2"
    maximum: str = "TLSv1_3"
    ciphers: Sequence[str] = ()
    tls13_only: bool = False
    curves: Sequence[str] = ()
    server_chooses: bool = True


def make_context(settings: TLSSettings) -> ssl.SSLContext:
    """Make the context of new connections.

    Raises:
        TLSError: OpenSSL refuses the certificate, the key, the CAs or the versions.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    _set_versions(context, settings)
    _set_ciphers(context, settings)
    _load_certificate(context, settings)
    if settings.client_certificate is not None:
        context.verify_mode = ssl.CERT_REQUIRED if settings.client_certificate else ssl.CERT_OPTIONAL
        _load_client_cas(context, settings.client_cas)
    return context


def is_allowed(certificate: Mapping[str, object], allowed: frozenset[str]) -> bool:
    """Whether a verified certificate, as `ssl` decodes it, has one of these Subject Alternative Names."""
    names = certificate.get("subjectAltName", ())
    values = [(str(kind), str(value)) for kind, value in names] if isinstance(names, tuple) else []
    return any(_written_alike(kind, value) in allowed for kind, value in values)


def _written_alike(kind: str, value: str) -> str:
    """A name as Go writes it: IP addresses are in their short form."""
    return str(ipaddress.ip_address(value)) if kind == "IP Address" else value


def _set_versions(context: ssl.SSLContext, settings: TLSSettings) -> None:
    minimum = "TLSv1_3" if settings.tls13_only else settings.minimum
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1, for whoever asks for them by name
        try:
            context.maximum_version = ssl.TLSVersion[settings.maximum]
            context.minimum_version = ssl.TLSVersion[minimum]
        except ValueError as error:
            raise TLSError(f"this machine's OpenSSL has no {minimum} or {settings.maximum}") from error


def _set_ciphers(context: ssl.SSLContext, settings: TLSSettings) -> None:
    if settings.ciphers:
        context.set_ciphers(":".join(settings.ciphers))
    if not settings.server_chooses:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    names = [_CURVES[curve] for curve in settings.curves]
    if hasattr(context, "set_groups") and names:  # Python 3.15
        context.set_groups(":".join(names))
    elif len(names) == 1:  # before, a list of several cannot be set: OpenSSL's own has all four, the strongest first
        context.set_ecdh_curve(names[0])


def _load_certificate(context: ssl.SSLContext, settings: TLSSettings) -> None:
    with _as_file(settings.certificate) as certificate, _as_file(settings.key) as key:
        try:
            context.load_cert_chain(certificate, key, password="")  # no prompt for the password of a key that has one
        except ssl.SSLError as error:
            raise TLSError(f"certificate and key cannot be used together: {error.reason or error}") from error


def _load_client_cas(context: ssl.SSLContext, client_cas: str) -> None:
    if not client_cas:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    try:
        context.load_verify_locations(cadata=client_cas)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise TLSError(f"the client CAs cannot be used: {reason}") from error
    if not context.get_ca_certs():
        raise TLSError("the client CAs hold no CA certificate")


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """The path of a file with this text: OpenSSL reads certificates of one's own from files only.

    On Linux the file is in memory alone, so that a key that is written in the configuration reaches no disk.
    """
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("pem"), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            yield f"/proc/self/fd/{stream.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".pem") as stream:
            stream.write(text)
            stream.flush()
            yield stream.name
