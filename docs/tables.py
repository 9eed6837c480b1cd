"""Writes the table of metrics in README.md from the program's own table. `--check` only says whether it is current."""

import sys
from pathlib import Path

from exporter.metrics.table import ENVIRONMENT, METRICS, MetricSpec

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- metrics: written by `make docs` from exporter/metrics/table.py -->"
END = "<!-- end of metrics -->"


def table() -> str:
    """The metrics as a Markdown table."""
    rows = ["| metric | type | further labels | meaning |", "|---|---|---|---|"]
    rows += [f"| `{spec.name}` | {_type(spec)} | {_labels(spec)} | {spec.help} |" for spec in METRICS]
    return "\n".join(rows)


def _type(spec: MetricSpec) -> str:
    return "gauge histogram" if spec.type == "gaugehistogram" else spec.type


def _labels(spec: MetricSpec) -> str:
    return ", ".join(f"`{label}`" for label in spec.labels if label not in ENVIRONMENT)


def rewritten(text: str) -> str:
    """The README with a current table.

    Raises:
        ValueError: The place for it is not marked.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no place for the table of metrics")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    """Write the table, or check it."""
    text = README.read_text(encoding="utf-8")
    current = rewritten(text)
    if "--check" in sys.argv[1:]:
        if text != current:
            sys.stderr.write("README.md: the table of metrics is not current; run `make docs`\n")
        return int(text != current)
    README.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
