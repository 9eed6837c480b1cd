"""Writes the Prometheus rules and the tables of their documentation, or checks that both are up to date.

Run it as ``python prometheus/generate.py`` with the project installed.
"""

import sys
from pathlib import Path

import click
import msgspec
import yaml

from exporter.thresholds import Thresholds, decode
from prometheus.model import Site
from prometheus.render import fill, rules_file, tables

HOME = Path(__file__).resolve().parent
RULES = HOME / "rules" / "qoder-work.rules.yml"
ALERTS_PAGE = HOME.parent / "docs" / "alerts.md"


def committed() -> dict[Path, str]:
    """What the files in this repository must hold, by path."""
    defaults = Thresholds()
    page = ALERTS_PAGE.read_text(encoding="utf-8")
    return {RULES: rules_file(defaults, Site()), ALERTS_PAGE: fill(page, tables(defaults))}


def stale() -> list[Path]:
    """The files in this repository that do not hold what they must."""
    return [path for path, text in committed().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def load_thresholds(path: Path) -> Thresholds:
    """Read thresholds from a YAML file.

    Raises:
        click.ClickException: The file is no YAML, or names or values in it are wrong.
    """
    try:
        return decode(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise click.ClickException(f"{path}: {error}") from error


@click.command(help="Write the alerting and recording rules, and the tables of docs/alerts.md.")
@click.option("--check", is_flag=True, help="Write nothing; fail if a committed file is out of date.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write only the rules, to this file. The other options need it.",
)
@click.option(
    "--thresholds",
    "thresholds_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file of thresholds to change, name: value.",
)
@click.option("--grafana-url", help=f"Where Grafana is.  [default: {Site().grafana}]")
@click.option("--runbooks-url", help=f"Where the runbooks are.  [default: {Site().runbooks}]")
@click.option("--for-scale", type=click.FloatRange(min=0), help="Multiply every alert's 'for'; for tests.")
def main(
    *,
    check: bool,
    output: Path | None,
    thresholds_file: Path | None,
    grafana_url: str | None,
    runbooks_url: str | None,
    for_scale: float | None,
) -> None:
    """Do what the command line asks."""
    custom = (thresholds_file, grafana_url, runbooks_url, for_scale)
    if output is None and any(option is not None for option in custom):
        raise click.UsageError("rules that differ from the committed ones need --output")
    if output is not None and check:
        raise click.UsageError("--check and --output exclude each other")
    if output is not None:
        thresholds = load_thresholds(thresholds_file) if thresholds_file else Thresholds()
        site = Site(
            grafana=(grafana_url or Site().grafana).rstrip("/"), runbooks=(runbooks_url or Site().runbooks).rstrip("/")
        )
        output.write_text(rules_file(thresholds, site, 1 if for_scale is None else for_scale), encoding="utf-8")
    elif check:
        if old := stale():
            sys.exit("out of date, run prometheus/generate.py: " + ", ".join(str(path) for path in old))
    else:
        for path, text in committed().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
