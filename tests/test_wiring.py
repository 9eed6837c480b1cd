"""Every key of the configuration reaches the room it is for: one that nobody wired fails here."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from exporter.cli import wiring
from exporter.config import (
    Account,
    Alerts,
    Config,
    Discovery,
    Duration,
    Environment,
    EnvironmentThresholds,
    Histograms,
    History,
    Links,
    Metrics,
    Probe,
    Scrape,
)

CHECKED_ALONE = {(Account, "allow_plain_http")}
"""Keys that only say what the check of the configuration lets pass."""

OTHER: dict[type[msgspec.Struct], dict[str, Any]] = {
    Account: {
        "name": "other",
        "base_url": "https://api.example.com",
        "token_env": "OTHER_VARIABLE",
        "token_file": Path("/token"),
        "environments": (Environment(id="env_a"),),
        "discovery": Discovery(exclude=("other",)),
        "requests_per_second": 7.0,
        "page_interval": Duration(3),
        "max_concurrency": 3,
        "request_timeout": Duration(4),
    },
    Environment: {"id": "env_b", "name": "B"},
    Discovery: {"refresh_interval": Duration(7), "include": ("a",), "exclude": ("b",)},
    Scrape: {
        "timeout": Duration(20),
        "timeout_offset": Duration(1),
        "min_interval": Duration(2),
        "max_staleness": Duration(180),
        "queue_stats": False,
    },
    History: {"checkpoint": Path("/progress"), "resync_interval": Duration(7), "lookback": Duration(7)},
    Metrics: {"metadata_labels": ("job",), "max_label_values": 9, "histograms": Histograms(run=False)},
    Histograms: dict.fromkeys(Histograms.__struct_fields__, False),
    Probe: {"allow_any": True},
    Alerts: {
        "thresholds": {"heartbeat_late": 300.0},
        "environment_thresholds": (EnvironmentThresholds(environments="gpu", thresholds={"heartbeat_late": 300.0}),),
    },
    EnvironmentThresholds: {"environments": "other", "thresholds": {"backlog_age": 400.0}},
    Links: {"session": None},
}
"""A value of each key that is not its default."""

BASE: dict[type[msgspec.Struct], msgspec.Struct] = {
    Account: Account(token_env="QODER_PAT"),
    Environment: Environment(id="env_a"),
    **{type_: type_() for type_ in (Discovery, Scrape, History, Metrics, Histograms, Probe, Alerts, Links)},
    EnvironmentThresholds: EnvironmentThresholds(environments="gpu", thresholds={"backlog_age": 500.0}),
}

KEYS = [(type_, key) for type_ in BASE for key in type_.__struct_fields__ if (type_, key) not in CHECKED_ALONE]


def config(part: Any) -> Config:
    """A configuration with this part in it."""
    match part:
        case Account():
            return Config(accounts=(part,))
        case Environment():
            return Config(accounts=(Account(token_env="QODER_PAT", environments=(part,)),))
        case Discovery():
            return Config(accounts=(Account(token_env="QODER_PAT", discovery=part),))
        case EnvironmentThresholds():
            return Config(alerts=Alerts(environment_thresholds=(part,)))
        case Histograms():
            return Config(metrics=Metrics(histograms=part))
        case _:
            return Config(**{type(part).__name__.lower(): part})


def settings(configured: Config) -> list[object]:
    """Everything that the rooms are told."""
    return [
        *(wiring.account_settings(account) for account in configured.accounts),
        wiring.tracking_settings(configured),
        wiring.web_settings(configured, "/metrics"),
    ]


def test_every_section_is_looked_at() -> None:
    fields = msgspec.structs.fields(Config)
    assert {type(getattr(Config(), field.name)) for field in fields if field.name != "accounts"} <= BASE.keys()


@pytest.mark.parametrize(("type_", "key"), KEYS, ids=[f"{type_.__name__}.{key}" for type_, key in KEYS])
def test_a_change_of_a_key_changes_what_a_room_is_told(type_: type[msgspec.Struct], key: str) -> None:
    base = BASE[type_]
    assert getattr(base, key) != OTHER[type_][key]
    changed = msgspec.structs.replace(base, **{key: OTHER[type_][key]})
    assert settings(config(changed)) != settings(config(base))
