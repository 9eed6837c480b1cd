"""What fires, from when to when, while given series go on: asked of promtool, with the committed rules."""

import math
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from exporter.mixin.rules.catalogue import groups
from exporter.thresholds import Thresholds
from tests.rules.places import RULES
from tests.rules.playing import notation

Series = Mapping[str, Sequence[float | None]]
"""A value per scrape, or None, by the series in PromQL's notation."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert over time, in minutes.

    Attributes:
        first: When it fires first.
        last: When it is last seen to fire.
        minutes: For how many minutes it fires; less than from first to last if it ends and fires again.
    """

    first: int
    last: int
    minutes: int

    @property
    def times(self) -> str:
        """Whether it fired at a stretch."""
        return "at a stretch" if self.minutes == self.last - self.first + 1 else "in pieces"


def firings(
    series: Series, minutes: int, folder: Path, rules: Path = RULES, program: str = "promtool"
) -> dict[tuple[str, str], Firing]:
    """Let promtool evaluate the rules once a minute.

    Args:
        series: What was scraped, once a minute.
        minutes: How long to go on.
        folder: Where to put promtool's file.
        rules: The rules.
        program: promtool, of whichever version.

    Returns:
        Each alert that fires, by its name and what it is about (environment, account or instance).
    """
    seen = f'ALERTS{{alertstate="firing"}}[{minutes}m:1m]'
    # promtool shows a result only where it differs from what is expected: nothing is expected.
    asked = {
        "first": f'min_over_time(timestamp(ALERTS{{alertstate="firing"}})[{minutes}m:1m])',
        "last": f'max_over_time(timestamp(ALERTS{{alertstate="firing"}})[{minutes}m:1m])',
        "minutes": f"count_over_time({seen})",
    }
    length = minutes + 1
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "group_eval_order": [group.name for group in groups(Thresholds())],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": notation(list(v), length)} for name, v in series.items()],
                "promql_expr_test": [
                    {"expr": f"{expr} or vector(0) * {number}", "eval_time": f"{minutes}m", "exp_samples": []}
                    for number, expr in enumerate(asked.values(), start=1)
                ],
            }
        ],
    }
    file = folder / "firings.test.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=math.inf))
    outcome = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False)
    answers = re.findall(r"^\s*got:(.*)$", outcome.stdout + outcome.stderr, re.MULTILINE)
    assert len(answers) == len(asked), outcome.stdout + outcome.stderr
    found = [_values(answer) for answer in answers]
    return {
        about: Firing(round(found[0][about] / 60), round(found[1][about] / 60), round(found[2][about]))
        for about in found[0]
    }


def values(series: Series, expr: str, minutes: Sequence[int], folder: Path, program: str = "promtool") -> list[float]:
    """The value of an expression that has one series at each of these minutes, with the rules evaluated until then."""
    length = max(minutes) + 1
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "group_eval_order": [group.name for group in groups(Thresholds())],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": notation(list(row)[:length], length)} for name, row in series.items()
                ],
                "promql_expr_test": [
                    # Nothing is expected, so that promtool shows what there is; the sum is always there.
                    {"expr": f"sum({expr}) or vector(-1)", "eval_time": f"{minute}m", "exp_samples": []}
                    for minute in minutes
                ],
            }
        ],
    }
    file = folder / "values.test.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=math.inf))
    outcome = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False)
    answers = re.findall(r"^\s*got:\s*\{\} (\S+)$", outcome.stdout + outcome.stderr, re.MULTILINE)
    assert len(answers) == len(minutes), outcome.stdout + outcome.stderr
    return [float(answer) for answer in answers]


def _values(answer: str) -> dict[tuple[str, str], float]:
    values = {}
    for labels, value in re.findall(r"\{([^{}]*)\} ([-+.\w]+)", answer):
        named = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if "alertname" in named:
            about = named.get("environment") or named.get("account") or named.get("instance") or ""
            values[named["alertname"], about] = float(value)
    return values
