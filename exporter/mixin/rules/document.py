"""Rules as Prometheus reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from exporter.mixin.promql import duration
from exporter.mixin.rules.annotations import dashboard, items, runbook
from exporter.mixin.rules.catalogue import groups
from exporter.mixin.rules.rule import Alert, Group, Recording
from exporter.mixin.site import Site
from exporter.overrides import Override
from exporter.thresholds import Thresholds

HEADER = """\
# Written by `qoder-work-exporter mixin`, which takes your own thresholds and addresses; not to be edited by hand.
# docs/alerts.md explains every alert and threshold.
"""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rules_file(
    thresholds: Thresholds, site: Site, overrides: Sequence[Override] = (), *, pending_scale: float = 1
) -> str:
    """The rules file.

    Args:
        thresholds: The numbers.
        site: Where links lead.
        overrides: The numbers of some environments.
        pending_scale: Multiplies how long conditions must hold before they alert. Below 1 it serves tests, which
            cannot wait for minutes.
    """
    document = {"groups": [_group(group, site, pending_scale) for group in groups(thresholds, overrides)]}
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def _group(group: Group, site: Site, pending_scale: float) -> Mapping[str, Any]:
    rules = [_alert(rule, site, pending_scale) if isinstance(rule, Alert) else _recording(rule) for rule in group.rules]
    interval = {"interval": duration(group.interval)} if group.interval else {}
    return {"name": group.name, **interval, "rules": rules}


def _recording(rule: Recording) -> Mapping[str, Any]:
    return {"record": rule.name, "expr": rule.expr}


def _alert(alert: Alert, site: Site, pending_scale: float) -> Mapping[str, Any]:
    pending = {"for": duration(alert.pending * pending_scale)} if alert.pending else {}
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **pending,
        "labels": {"severity": alert.severity, "symptom": alert.symptom},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": runbook(alert, site),
            "dashboard_url": dashboard(alert, site),
            **items(alert, site),
        },
    }
