"""The certificate authorities that are trusted: certifi's, or those that ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name."""

import os
import ssl
from pathlib import Path

import httpx

from exporter.api.variables import VariableError


class CertificatesError(VariableError):
    """A variable names certificates that cannot be read."""


def trusted() -> ssl.SSLContext:
    """What an HTTPS connection is verified against; the file counts before the folder, as for httpx.

    Raises:
        CertificatesError: The file or the folder is missing or unusable.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and folder:
        _check_folder(folder)
    try:
        return httpx.create_ssl_context()
    except ssl.SSLError:
        raise CertificatesError(f"SSL_CERT_FILE: {file} holds no usable certificates") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise CertificatesError(f"SSL_CERT_FILE: {file} cannot be read: {why}") from None


def _check_folder(folder: str) -> None:
    """OpenSSL takes any folder, also one that is missing, and then trusts nobody."""
    try:
        found = any(Path(folder).iterdir())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise CertificatesError(f"SSL_CERT_DIR: {folder} cannot be read: {why}") from None
    if not found:
        raise CertificatesError(f"SSL_CERT_DIR: {folder} is empty")
