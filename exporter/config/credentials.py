"""Where a token comes from and where it may be sent.

No message from here holds a token, nor anything that could be one by mistake.
"""

import ipaddress
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from exporter.config.model import DEFAULT_BASE_URL, Account
from exporter.config.problem import KeyPath

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_TOKEN_ITSELF = re.compile(r"pt-[^/]*|eyJ[^/]*")
"""What a personal access token and a service account's token begin with."""

MAX_TOKEN_FILE = 64 * 1024
"""Bytes of a token's file; the client reads no more."""


def check_token(account: Account, environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str]]:
    """Find what keeps an account's token from being read; paths are relative to the account."""
    match account.token_env, account.token_file:
        case None, None:
            yield (), "no token; give token_env (an environment variable) or token_file (a path)"
        case None, Path() as file:
            yield from ((("token_file",), message) for message in _check_token_file(file))
        case str() as variable, None:
            yield from ((("token_env",), message) for message in _check_token_variable(variable, environ))
        case _:
            yield ("token_file",), "token_env is given as well; keep one of the two"


def _check_token_variable(variable: str, environ: Mapping[str, str]) -> Iterator[str]:
    if not _VARIABLE.fullmatch(variable):
        yield (
            "this is not the name of an environment variable; give the name of the one that holds the token, "
            "not the token itself"
        )
    elif variable not in environ:
        yield f"the environment variable {variable} is not set; set it to the token"
    else:
        yield from _check_token_text(environ[variable], f"the environment variable {variable}")


def _check_token_file(file: Path) -> Iterator[str]:
    if _TOKEN_ITSELF.fullmatch(file.name):
        yield "this looks like a token; write it to a file and give the path of that file"
        return
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a directory says what is wrong
            what = "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
            yield f"{file} is {what}, and the token is read more than once; give a regular file"
            return
        with file.open("rb") as opened:
            content = opened.read(MAX_TOKEN_FILE + 1)
        text = content.decode()
    except OSError as error:
        yield f"cannot read {file}: {error.strerror}; the file must exist and be readable by this user"
    except UnicodeDecodeError:
        yield f"{file} is not text; it must hold the token and nothing else"
    except ValueError:
        yield "the path has a NUL character, or one that no encoding has"
    else:
        if len(content) > MAX_TOKEN_FILE:
            yield f"{file} is too large; it must hold the token and nothing else"
            return
        yield from _check_token_text(text, str(file))


def _check_token_text(text: str, place: str) -> Iterator[str]:
    if not text.strip():
        yield f"{place} is empty; it must hold the token"
    elif not _TOKEN.fullmatch(text.strip()):
        yield f"{place} holds more than a token: blanks, line breaks or characters that no token has"


def check_base_url(url: str, *, allow_plain_http: bool) -> Iterator[str]:
    """Find what keeps a token from being sent to an API's address."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        yield f"not a valid URL: {error}"
        return
    if any(character.isspace() or not character.isprintable() for character in url):
        yield "a URL has no blanks and no control characters"
    elif "@" in parts.netloc:
        yield "the URL must not hold a user name or a password; the token comes from token_env or token_file"
    elif parts.scheme not in {"http", "https"} or not host:
        yield f"not the http(s) address of an API; give one such as {DEFAULT_BASE_URL}"
    elif parts.query or parts.fragment or url.endswith(("?", "#")):
        yield "the URL must not have a query or a fragment; leave out what follows the path"
    elif not _is_resolvable(url, host):
        yield "no resolver takes the host's name: a part of it is empty, too long, or has characters that no host has"
    elif parts.scheme == "http" and not allow_plain_http and not _is_loopback(host):
        yield (
            f"the token would cross the network to {host} unencrypted; use https, "
            "or accept that with allow_plain_http: true"
        )


def _is_resolvable(url: str, host: str) -> bool:
    """Whether a host's name can be asked for at all; an address can."""
    try:
        httpx.URL(url)
        encoded = host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return False
    return len(encoded) <= 253


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
