"""Write the dashboards' JSON.

Usage: ``python grafana/generate.py [--check] [--thresholds FILE] [--output DIRECTORY]``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from exporter.thresholds import Thresholds
from grafana.boards import environment, exporter_health, fleet
from grafana.handover import importable
from grafana.panels import Json
from grafana.thresholds import Steps
from prometheus.generate import load_thresholds

ROOT = Path(__file__).resolve().parent.parent


def dashboards(thresholds: Thresholds) -> list[Json]:
    """All dashboards, coloured by these thresholds."""
    steps = Steps(thresholds)
    return [board.build(steps) for board in (fleet, environment, exporter_health)]


def rendered(thresholds: Thresholds) -> Iterator[tuple[str, str]]:
    """The files to write: path below the output directory, and content."""
    for board in dashboards(thresholds):
        for folder, content in (("dashboards", board), ("import", importable(board))):
            yield f"{folder}/{board['uid']}.json", json.dumps(content, indent=2, sort_keys=True) + "\n"


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not what would be written.")
@click.option(
    "--thresholds",
    "thresholds_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Other thresholds than the defaults: the YAML file that the alert rules were generated from.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "grafana",
    help="Where to write dashboards/ and import/; the default is where they are kept.",
)
def main(check: bool, thresholds_file: Path | None, output: Path) -> None:
    """Write the dashboards as Grafana's classic JSON: to provision, and to import by hand."""
    thresholds = load_thresholds(thresholds_file) if thresholds_file else Thresholds()
    expected = {output / path: content for path, content in rendered(thresholds)}
    present = {file for folder in ("dashboards", "import") for file in (output / folder).glob("*.json")}
    if check:
        drifted = sorted(
            {file for file, content in expected.items() if file not in present or file.read_text() != content}
            | (present - expected.keys())
        )
        if drifted:
            names = ", ".join(str(file.relative_to(output)) for file in drifted)
            raise click.ClickException(f"not what generate.py writes: {names}; run python grafana/generate.py")
        return
    for file, content in expected.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


if __name__ == "__main__":
    main()
