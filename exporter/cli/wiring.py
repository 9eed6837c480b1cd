"""From the configuration file's types to the settings of the rooms."""

import time

import msgspec

from exporter.api.client import ClientSettings
from exporter.api.token import EnvironmentToken, FileToken, TokenSource
from exporter.config import Account, Alerts, Config, Discovery, Histograms, describe
from exporter.metrics.samples import Reload
from exporter.overrides import decode_overrides
from exporter.thresholds import decode
from exporter.tracking.fleet import Fleet
from exporter.tracking.patterns import Pattern
from exporter.tracking.settings import AccountSettings, DiscoverySettings, EnvironmentSettings, TrackingSettings
from exporter.web.app import WebSettings
from exporter.web.severity import Judge, Judges


def make_fleet(config: Config) -> Fleet:
    """The fleet of everything that is configured; it belongs to the running event loop."""
    return Fleet(all_account_settings(config), tracking_settings(config))


def all_account_settings(config: Config) -> list[AccountSettings]:
    """What the tracking room must know of the accounts."""
    return [account_settings(account) for account in config.accounts]


def account_settings(account: Account, token: TokenSource | None = None) -> AccountSettings:
    """What the tracking room must know of an account.

    Args:
        account: What is configured.
        token: Where its token comes from, if not from where the configuration says.
    """
    environments = account.environments
    return AccountSettings(
        name=account.name,
        client=ClientSettings(
            base_url=account.base_url,
            token=token or _token(account),
            requests_per_second=account.requests_per_second,
            max_concurrency=account.max_concurrency,
            request_timeout=account.request_timeout,
        ),
        page_interval=account.page_interval,
        environments=None
        if environments is None
        else tuple(EnvironmentSettings(environment.id, environment.name) for environment in environments),
        discovery=_discovery(account.discovery),
    )


def tracking_settings(config: Config) -> TrackingSettings:
    """What the tracking room must know beyond the accounts."""
    return TrackingSettings(
        min_interval=config.scrape.min_interval,
        max_staleness=config.scrape.max_staleness,
        queue_stats=config.scrape.queue_stats,
        checkpoint=config.history.checkpoint,
        resync_interval=config.history.resync_interval,
        lookback=config.history.lookback,
        metadata_keys=config.metrics.metadata_labels,
        max_label_values=config.metrics.max_label_values,
    )


def web_settings(config: Config, telemetry_path: str) -> WebSettings:
    """What the web room must know."""
    return WebSettings(
        telemetry_path=telemetry_path,
        timeout=config.scrape.timeout,
        timeout_offset=config.scrape.timeout_offset,
        probe_any=config.probe.allow_any,
        judges=judges(config.alerts),
        session_link=config.links.session,
        histograms=histograms(config.metrics.histograms),
        configuration=describe(config),
    )


def judges(alerts: Alerts) -> Judges:
    """Who judges which environment: by the thresholds with which the rules were made."""
    given = [msgspec.structs.asdict(some) for some in alerts.environment_thresholds]
    overrides = decode_overrides(given, alerts.thresholds)
    return Judges(
        Judge(decode(alerts.thresholds)),
        tuple((Pattern(override.pattern), Judge(override.thresholds)) for override in overrides),
    )


def histograms(chosen: Histograms) -> dict[str, tuple[float, ...] | None]:
    """The bounds of the buckets to expose of each histogram that is not exposed whole; None for none at all."""
    found = {f"qoder_work_{name}_seconds": getattr(chosen, name) for name in chosen.__struct_fields__}
    return {
        name: tuple(sorted(map(float, buckets))) if buckets else None if buckets is False else ()
        for name, buckets in found.items()
        if buckets is not True
    }


def loaded_now() -> Reload:
    """That the configuration has been loaded just now, which is what starting takes."""
    return Reload(successful=True, succeeded_at=time.time())


def _token(account: Account) -> TokenSource:
    if account.token_file is not None:
        return FileToken(account.token_file)
    if account.token_env is not None:
        return EnvironmentToken(account.token_env)
    raise ValueError(f"the account {account.name} has no token")  # a checked configuration has one


def _discovery(discovery: Discovery) -> DiscoverySettings:
    return DiscoverySettings(
        refresh_interval=discovery.refresh_interval,
        include=tuple(Pattern(pattern) for pattern in discovery.include),
        exclude=tuple(Pattern(pattern) for pattern in discovery.exclude),
    )
