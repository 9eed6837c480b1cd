"""The configuration in force as YAML, fit for everybody's eyes."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import yaml

from exporter.config.duration import Duration
from exporter.config.model import Config


def describe(config: Config) -> str:
    """Write a configuration as YAML: every key, defaults filled in.

    A configuration names where tokens are and never holds one; what an address could hold of them is hidden all the
    same.
    """
    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=100)


def _plain(value: object) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Duration | Path):
        return _without_credentials(str(value))
    return _without_credentials(value) if isinstance(value, str) else value


def _without_credentials(text: str) -> str:
    """The text without the user, password and query of an address."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        _, at, host = parts.netloc.rpartition("@")
    except ValueError:
        return "<hidden>"
    query = "<hidden>" if parts.query else ""
    return urlunsplit((parts.scheme, f"<hidden>@{host}" if at else host, parts.path, query, parts.fragment))
