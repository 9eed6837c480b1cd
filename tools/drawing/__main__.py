"""Draw the dashboards from a Prometheus' data.

Usage: ``python -m tools.drawing [--prometheus URL] [--minutes N] [--output DIRECTORY]``.
"""

import json
import time
from pathlib import Path

import click
import httpx

from tools.drawing.interpolate import All, Chosen, Scope, Span
from tools.drawing.picture import draw, save
from tools.drawing.query_api import Prometheus, QueryRefused

ROOT = Path(__file__).resolve().parents[2]

Names = tuple[str, ...]


@click.command()
@click.option("--prometheus", "url", default="http://127.0.0.1:9090", show_default=True, help="The Prometheus to ask.")
@click.option("--minutes", default=30, show_default=True, help="How much of the past to show.")
@click.option("--scrape-interval", default=15, show_default=True, help="Seconds between two scrapes.")
@click.option("--environment", "environments", multiple=True, help="Show these environments only.")
@click.option("--board", "boards", multiple=True, help="Draw these dashboards only, by their uid.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "docs" / "images",
    help="Where the pictures go.",
)
def main(*, url: str, minutes: int, scrape_interval: int, environments: Names, boards: Names, output: Path) -> None:
    """Draw every dashboard as it would look now, one PNG each."""
    now = time.time()
    scope = Scope(
        Span(now - 60 * minutes, now, scrape_interval),
        {
            "job": All(".+"),
            "instance": All(".+"),
            "environment": Chosen(environments) if environments else All(".*"),
        },
    )
    output.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=url, timeout=60) as client:
        for file in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
            if boards and file.stem not in boards:
                continue
            try:
                save(draw(Prometheus(client), json.loads(file.read_text()), scope), output / f"{file.stem}.png")
            except (httpx.HTTPError, QueryRefused) as error:
                raise click.ClickException(f"{file.stem}: {error}") from error


if __name__ == "__main__":
    main()
