"""The command that writes alert rules and dashboards."""

from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from exporter.cli.failure import Failure
from exporter.config.web import MAX_BYTES
from exporter.mixin.render import drifted, files, write
from exporter.mixin.site import Site
from exporter.overrides import Override, decode_overrides
from exporter.thresholds import Thresholds, decode

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="The directory to write into."
)
@click.option("--thresholds", "thresholds_file", type=_FILE, help="A YAML file of thresholds to change, name: value.")
@click.option(
    "--environment-thresholds",
    "overrides_file",
    type=_FILE,
    help="A YAML file of thresholds for some environments: a list of environments (a regular expression for their "
    "names) and thresholds (name: value). The first that matches counts.",
)
@click.option(
    "--grafana-url", default=Site.grafana, show_default=True, help="Grafana's address, for the links in alerts."
)
@click.option(
    "--exporter-url",
    default=Site.exporter,
    help="An exporter's address as people reach it, for the links in alerts to an environment's items and to the "
    "runbooks, which it serves.",
)
@click.option(
    "--runbooks-url",
    help="Address of the runbooks' folder if it is not the exporter's, for the links in alerts and, if it is a URL, "
    f"dashboards.  [default: {Site.runbooks}]",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the directory is not current.")
def mixin(
    *,
    output: Path,
    thresholds_file: Path | None,
    overrides_file: Path | None,
    grafana_url: str,
    exporter_url: str,
    runbooks_url: str | None,
    check: bool,
) -> None:
    """Write alert rules and dashboards, fitted to your own addresses and thresholds.

    It writes prometheus/rules, grafana/dashboards (to provision) and grafana/import (to import by hand) below the
    directory. Panels turn red at the thresholds of the alerts.
    """
    thresholds, overrides = _judged(thresholds_file, overrides_file)
    exporter = exporter_url.rstrip("/")
    runbooks = runbooks_url or (f"{exporter}/runbooks" if exporter else Site.runbooks)
    site = Site(grafana=grafana_url.rstrip("/"), runbooks=runbooks.rstrip("/"), exporter=exporter)
    expected = files(thresholds, site, overrides)
    try:
        if not check:
            write(output, expected)
        elif names := drifted(output, expected):
            raise Failure(f"{output / name}: not current" for name in names)
    except OSError as error:
        raise Failure([error]) from error


def _judged(thresholds_file: Path | None, overrides_file: Path | None) -> tuple[Thresholds, list[Override]]:
    """The thresholds, and those of some environments."""
    changed: Any = {}
    path = thresholds_file
    try:
        if thresholds_file:
            changed = _document(thresholds_file)
        thresholds = decode(changed)
        path = overrides_file
        entries = _document(overrides_file) if overrides_file else []
        return thresholds, decode_overrides(entries, changed)
    except (OSError, yaml.YAMLError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise Failure([f"{path}: {error}"]) from error


def _document(file: Path) -> Any:
    """The YAML in a file, which may be a pipe.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or nested too deeply.
        yaml.YAMLError: It is not YAML.
    """
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    try:
        return yaml.safe_load(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
