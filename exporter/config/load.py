"""The configuration from its file and the environment variables."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from exporter.config.checks import check
from exporter.config.decode import decode
from exporter.config.document import Document
from exporter.config.model import Account, Config
from exporter.config.problem import ConfigError, Problem

MAX_SIZE = 1024 * 1024
"""Bytes of a configuration file; thousands of environments fit."""

_BASE_URL_VARIABLE = "QODER_BASE_URL"


def load(file: Path | None, environ: Mapping[str, str] = os.environ, *, again: bool = False) -> Config:
    """Read the configuration and check that it can be used.

    An account that gives no ``base_url`` takes it from ``QODER_BASE_URL``, where that is set. Without a file there is
    one account, ``default``, that takes its token from ``QODER_PAT`` and discovers its environments.

    Args:
        file: The configuration file, or None. The paths in it are relative to its directory.
        environ: The environment variables.
        again: Whether the file has been read before; a pipe would now be empty, or somebody else's.

    Returns:
        The configuration: defaults filled in, addresses without a trailing slash, files by their absolute paths.

    Raises:
        ConfigError: The configuration cannot be used; the error names everything that is wrong.
    """
    if file is None:
        return _load(Document(""), Path(), environ)
    try:
        return _load(Document(_read(file, again=again)), file.parent.absolute(), environ)
    except ConfigError as error:
        raise ConfigError(_in_file(problem, file) for problem in error.problems) from error


def _read(file: Path, *, again: bool) -> bytes:
    try:
        with file.open("rb") as opened:
            if again and not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ConfigError([Problem("this is no regular file, and cannot be read a second time")])
            content = opened.read(MAX_SIZE + 1)
    except OSError as error:
        raise ConfigError([Problem(f"cannot read the configuration file: {error.strerror}")]) from error
    except ValueError:
        raise ConfigError([Problem("cannot read the configuration file: its path has a NUL character")]) from None
    if len(content) > MAX_SIZE:
        raise ConfigError([Problem(f"the configuration file is larger than {MAX_SIZE // 1024} KiB")])
    return content


def _in_file(problem: Problem, file: Path) -> Problem:
    return problem if problem.source else replace(problem, source=str(file))


def _load(document: Document, directory: Path, environ: Mapping[str, str]) -> Config:
    config = decode(document, Config)
    accounts = tuple(
        _complete(account, directory, None if document.has(("accounts", i, "base_url")) else environ)
        for i, account in enumerate(config.accounts)
    )
    history = config.history
    if history.checkpoint is not None:
        history = msgspec.structs.replace(history, checkpoint=directory / history.checkpoint)
    config = msgspec.structs.replace(config, accounts=accounts, history=history)
    if problems := check(config, document, environ):
        raise ConfigError(dict.fromkeys(_from_variable(problem, document) for problem in problems))
    return config


def _complete(account: Account, directory: Path, environ: Mapping[str, str] | None) -> Account:
    """Fill in what an account's own section does not say; no ``environ`` where it gives its own address."""
    base_url = (environ or {}).get(_BASE_URL_VARIABLE) or account.base_url
    token_file = directory / account.token_file if account.token_file else None
    return msgspec.structs.replace(account, base_url=base_url.rstrip("/"), token_file=token_file)


def _from_variable(problem: Problem, document: Document) -> Problem:
    """Name the environment variable where the value at fault comes from it and not from the document."""
    match problem.path:
        case ("accounts", int(), "base_url") if not document.has(problem.path):
            return Problem(problem.message, source=_BASE_URL_VARIABLE)
        case ("accounts", int(), "token_env") if not document.has(problem.path):
            return Problem(f"{problem.message}, or name a configuration file with --config.file")
        case _:
            return problem
