"""Write the tables of the documentation from the program's own tables: ``python -m tools.docs [--check]``.

With ``--check`` nothing is written; the exit status is 1 if a page is not current.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from exporter import advice
from exporter.metrics.families import environment_families
from exporter.metrics.samples import Shape
from exporter.metrics.table import ENVIRONMENT, METRICS, MetricSpec
from exporter.metrics.templates import OF_ENVIRONMENTS
from exporter.mixin.promql import duration
from exporter.mixin.rules.catalogue import alerts, recorded
from exporter.thresholds import REASONS, Thresholds
from tests.metrics.views import environment
from tests.rules.shapes import SHAPES
from tools.markdown import fill, table
from tools.reference import settings

ROOT = Path(__file__).parent.parent
SEVERITIES = ("critical", "warning", "info")


def metrics_table() -> str:
    """Every metric, with the labels beyond its environment's."""
    return table(
        ("metric", "type", "further labels", "meaning"),
        ((f"`{spec.name}`", _type(spec), _labels(spec), spec.help) for spec in METRICS),
    )


def _type(spec: MetricSpec) -> str:
    return "gauge histogram" if spec.type == "gaugehistogram" else spec.type


def _labels(spec: MetricSpec) -> str:
    return ", ".join(f"`{label}`" for label in spec.labels if label not in ENVIRONMENT)


def alerts_table() -> str:
    """Every alert, the gravest first."""
    return table(
        ("Alert", "Severity", "Symptom", "For", "Says"),
        (
            (
                f"[{alert.name}](runbooks/{alert.name.lower()}.md)",
                alert.severity,
                alert.symptom,
                duration(alert.pending) if alert.pending else "at once",
                alert.summary,
            )
            for alert in sorted(alerts(Thresholds()), key=lambda alert: SEVERITIES.index(alert.severity))
        ),
    )


def thresholds_table() -> str:
    """Every threshold with its default and its reason."""
    return table(
        ("Threshold", "Default", "Unit", "Meaning and reason"),
        (
            (f"`{item.name}`", f"{item.default:g}", REASONS[item.name].unit, REASONS[item.name].why)
            for item in fields(Thresholds)
        ),
    )


def recordings_table() -> str:
    """Every recorded series with its labels."""
    return table(
        ("Recorded series", "Labels"),
        ((f"`{rule.name}`", ", ".join(f"`{label}`" for label in rule.labels)) for rule in recorded(Thresholds())),
    )


def layers_list() -> str:
    """The layers that import-linter checks, highest first; those on one line know nothing of each other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    names = ((name.strip() for name in layer.split("|")) for layer in contract["layers"])
    return "\n".join(f"{rank}. {', '.join(f'`{name}`' for name in layer)}" for rank, layer in enumerate(names, start=1))


def shapes_table() -> str:
    """What fires in each shape of traffic; tests/rules/test_shapes.py lets promtool check it."""
    return table(
        ("Traffic", "While all is well", "When every worker dies"),
        ((shape.words, _firing(shape.well), _firing(shape.dead)) for shape in SHAPES.values()),
    )


def _firing(first: Mapping[str, int]) -> str:
    """The pages, then the tickets that no page of the same symptom silences, each with the minute in which it comes."""
    known = {alert.name: alert for alert in alerts(Thresholds())}
    pages = [name for name in first if known[name].severity == "critical"]
    paged = {known[name].symptom for name in pages}
    tickets = [name for name in first if name not in pages and known[name].symptom not in paged]
    words = [
        f"{kind}: " + ", ".join(f"{name.removeprefix('QoderWork')} ({first[name]} min)" for name in names)
        for kind, names in (("**page**", pages), ("ticket", tickets))
        if names
    ]
    return "; ".join(words) or "nothing"


def failures_table() -> str:
    """Every reason why a refresh fails, with what it means and what to do."""
    return table(
        ("`reason`", "meaning", "what to do"),
        ((f"`{reason}`", found.meaning, _keys(found.next_step)) for reason, found in advice.FAILURES.items()),
    )


def _keys(text: str) -> str:
    """The text with the configuration's keys in it written as code."""
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", r"`\g<0>`", text)


def series_sentence() -> str:
    """How many series an environment has."""
    names = [spec.name for spec in OF_ENVIRONMENTS if spec.type in {"histogram", "gaugehistogram"}]
    usual, few, none = (
        series(Shape(histograms=dict.fromkeys(chosen, bounds)))
        for chosen, bounds in (((), ()), (names, (60.0, 600.0, 3600.0)), (names, None))
    )
    return (
        f"There are **{usual}** series per environment by default, {few} with three buckets each, "
        f"{none} without any histogram."
    )


def series(shape: Shape) -> int:
    """How many series an environment of which everything is known has in this shape."""
    found = environment_families(environment(), shape)
    return sum(len(family.samples) for family in found)


PLACES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"metrics": metrics_table, "series": series_sentence, "failures": failures_table},
    "docs/metrics.md": {"metrics": metrics_table},
    "docs/configuration.md": {"settings": settings},
    "docs/operating.md": {"failures": failures_table},
    "docs/architecture.md": {"layers": layers_list},
    "docs/alerts.md": {
        "shapes": shapes_table,
        "alerts": alerts_table,
        "thresholds": thresholds_table,
        "recordings": recordings_table,
    },
}
"""What is written: page, name of the place in it, content."""


def current(root: Path = ROOT) -> dict[Path, str]:
    """Every page with generated parts, as it should be.

    Raises:
        ValueError: A page lacks a place.
    """
    pages = {}
    for name, places in PLACES.items():
        page = (root / name).read_text(encoding="utf-8")
        for place, content in places.items():
            page = fill(page, place, content())
        pages[root / name] = page
    return pages


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pages, or check them."""
    pages = current(root)
    outdated = [page for page, text in pages.items() if page.read_text(encoding="utf-8") != text]
    for page in outdated:
        if "--check" in arguments:
            sys.stderr.write(f"{page.relative_to(root)}: a generated table is not current; run `make docs`\n")
        else:
            page.write_text(pages[page], encoding="utf-8")
    return int(bool(outdated) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
