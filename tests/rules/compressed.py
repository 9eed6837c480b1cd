"""The committed rules and the examples' settings, in fast motion: every duration divided by the same factor.

Ages keep their values, as the exporters that are played show them; what is compared with the clock of Prometheus is
divided as well.
"""

import re
from dataclasses import replace
from typing import Any

import yaml

from exporter.mixin.promql import duration
from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds
from tests.rules.places import ALERTMANAGER_CONFIG, PROMETHEUS_CONFIG

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = r"(\d+)(ms|s|m|h|d)\b"
_BY_THE_CLOCK = ("backlog_horizon", "snapshot_stale_age")
"""Thresholds that a rule compares with, or adds to, the time at which it is evaluated."""


def _divided(text: str, factor: float) -> str:
    found = re.fullmatch(_DURATION, text)
    assert found, text
    return duration(int(found[1]) * _UNITS[found[2]] / factor)


def rules(factor: float) -> str:
    """The rules of all thresholds' defaults."""
    usual = Thresholds()
    thresholds = replace(usual, **{name: getattr(usual, name) / factor for name in _BY_THE_CLOCK})
    document = yaml.safe_load(rules_file(thresholds, Site()))
    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = _divided(group["interval"], factor)
        for rule in group["rules"]:
            rule["expr"] = re.sub(
                rf"(?<=\[){_DURATION}(?=\])|(?<=offset ){_DURATION}",
                lambda found: _divided(found[0], factor),
                rule["expr"],
            )
            if "for" in rule:
                rule["for"] = _divided(rule["for"], factor)
    return yaml.safe_dump(document, sort_keys=False)


def prometheus_config(factor: float, rules_path: str, alertmanager: str, interval: float, job: dict[str, Any]) -> str:
    """The example's configuration, with this job's targets.

    Args:
        factor: Divides its durations.
        rules_path: Where the rules are.
        alertmanager: Its host and port.
        interval: Seconds between scrapes and between evaluations, before they are divided.
        job: What of the example's job is replaced.
    """
    config = yaml.safe_load(PROMETHEUS_CONFIG.read_text())
    often = duration(interval / factor)
    config["global"] = {"scrape_interval": often, "evaluation_interval": often}
    config["rule_files"] = [rules_path]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    config["scrape_configs"][0] |= {"scrape_interval": often, "scrape_timeout": often} | job
    return yaml.safe_dump(config)


def prometheus_flags(factor: float) -> list[str]:
    """The defaults of Prometheus' flags that are durations."""
    usual = {
        "query.lookback-delta": 300,
        "rules.alert.for-outage-tolerance": 3600,
        "rules.alert.for-grace-period": 600,
        "rules.alert.resend-delay": 60,
    }
    return [f"--{name}={duration(seconds / factor)}" for name, seconds in usual.items()]


def alertmanager_config(factor: float, listener_url: str) -> dict[str, Any]:
    """The example's configuration, with this listener for every receiver.

    A group is looked at again every minute instead of every five, so that a resolve of a minute would be notified.
    """
    config: dict[str, Any] = yaml.safe_load(ALERTMANAGER_CONFIG.read_text())
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = f"{listener_url}/{receiver['name']}"
    routes = [config["route"]]
    for route in routes:
        for name in {"group_wait", "group_interval", "repeat_interval"} & route.keys():
            route[name] = _divided("1m" if name == "group_interval" else route[name], factor)
        routes += route.get("routes", [])
    return config
