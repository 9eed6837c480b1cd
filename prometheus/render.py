"""Rules as Prometheus reads them, and the tables of the documentation."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import yaml

from exporter.thresholds import REASONS, Thresholds
from prometheus.catalogue import alerts, groups, recorded
from prometheus.model import Alert, Group, Recording, Site
from prometheus.promql import duration

SEVERITIES = ("critical", "warning", "info")

HEADER = """\
# Written by prometheus/generate.py: change the sources beside it, not this file.
# docs/alerts.md explains every alert and threshold.
"""


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rules_file(thresholds: Thresholds, site: Site, pending_scale: float = 1) -> str:
    """The rules file.

    Args:
        thresholds: The numbers.
        site: Where links lead.
        pending_scale: Multiplies how long conditions must hold before they alert. Below 1 it serves tests, which
            cannot wait for minutes.
    """
    document = {"groups": [_group(group, site, pending_scale) for group in groups(thresholds)]}
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
            "runbook_url": site.runbook(alert),
            "dashboard_url": site.dashboard(alert),
        },
    }


def tables(thresholds: Thresholds) -> Mapping[str, str]:
    """The tables of docs/alerts.md, by the name of their place there."""
    return {
        "alerts": _table(
            ("Alert", "Severity", "Symptom", "For", "Says"),
            (
                (
                    f"[{alert.name}](runbooks/{alert.name.lower()}.md)",
                    alert.severity,
                    alert.symptom,
                    duration(alert.pending) if alert.pending else "at once",
                    alert.summary,
                )
                for alert in sorted(alerts(thresholds), key=lambda alert: SEVERITIES.index(alert.severity))
            ),
        ),
        "thresholds": _table(
            ("Threshold", "Default", "Unit", "Meaning and reason"),
            (
                (
                    f"`{item.name}`",
                    f"{getattr(thresholds, item.name):g}",
                    REASONS[item.name].unit,
                    REASONS[item.name].why,
                )
                for item in fields(thresholds)
            ),
        ),
        "recordings": _table(
            ("Recorded series", "Labels"),
            ((f"`{rule.name}`", ", ".join(f"`{label}`" for label in rule.labels)) for rule in recorded(thresholds)),
        ),
    }


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def fill(page: str, tables_by_place: Mapping[str, str]) -> str:
    """Put tables into their places in a Markdown page, between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: The page lacks a place.
    """
    for name, table in tables_by_place.items():
        before, opening, rest = page.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->\n")
        if not opening or not closing:
            raise ValueError(f"the page has no place for the table of {name}")
        page = f"{before}{opening}\n{table}\n{closing}{after}"
    return page
