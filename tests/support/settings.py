"""The settings of the rooms as the defaults of the configuration make them, with the changes that a test is about."""

from dataclasses import replace
from typing import Any

from exporter.api.client import ClientSettings
from exporter.api.token import TokenSource
from exporter.cli import wiring
from exporter.config import Config
from exporter.tracking.settings import AccountSettings, DiscoverySettings, TrackingSettings
from exporter.web.app import WebSettings

_CONFIG = Config()
_ACCOUNT = wiring.account_settings(_CONFIG.accounts[0])


def tracking_settings(**changes: Any) -> TrackingSettings:
    """How environments are tracked by default, but for these changes."""
    return replace(wiring.tracking_settings(_CONFIG), **changes)


def account_settings(name: str, client: ClientSettings, **changes: Any) -> AccountSettings:
    """An account as it is by default, but for these changes."""
    return replace(_ACCOUNT, name=name, client=client, **changes)


def discovery_settings(**changes: Any) -> DiscoverySettings:
    """How environments are discovered by default, but for these changes."""
    return replace(_ACCOUNT.discovery, **changes)


def client_settings(base_url: str, token: TokenSource, **changes: Any) -> ClientSettings:
    """How an API is reached by default, but for these changes."""
    return replace(_ACCOUNT.client, base_url=base_url, token=token, **changes)


def web_settings(**changes: Any) -> WebSettings:
    """How the server answers by default, but for these changes."""
    return replace(wiring.web_settings(_CONFIG, "/metrics"), **changes)
