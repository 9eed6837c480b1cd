"""The files that rules and dashboards make, and whether a directory holds them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from exporter.mixin.dashboards.catalogue import dashboards
from exporter.mixin.dashboards.import_variant import importable
from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.overrides import Override
from exporter.thresholds import Thresholds

RULES = Path("prometheus/rules/qoder-work.rules.yml")
DASHBOARDS = Path("grafana/dashboards")
IMPORT = Path("grafana/import")


def files(thresholds: Thresholds, site: Site, overrides: Sequence[Override] = ()) -> dict[Path, str]:
    """Every file with its content, by its path below the output directory."""
    return {RULES: rules_file(thresholds, site, overrides), **dict(_dashboards(thresholds, site))}


def _dashboards(thresholds: Thresholds, site: Site) -> Iterator[tuple[Path, str]]:
    for board in dashboards(thresholds, site):
        for folder, content in ((DASHBOARDS, board), (IMPORT, importable(board))):
            yield folder / f"{board['uid']}.json", json.dumps(content, indent=2, sort_keys=True) + "\n"


def write(directory: Path, expected: dict[Path, str]) -> None:
    """Write the files below a directory, and remove those of ours that are no longer made.

    Raises:
        OSError: A file cannot be written.
    """
    for path, content in expected.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for path in _forgotten(directory, expected):
        (directory / path).unlink()


def drifted(directory: Path, expected: dict[Path, str]) -> list[Path]:
    """The files below a directory that are missing, differ from what would be written, or are no longer made.

    Raises:
        OSError: A file cannot be read.
    """
    return sorted(
        {path for path, content in expected.items() if _content(directory / path) != content}
        | _forgotten(directory, expected)
    )


def _content(file: Path) -> str | None:
    # Bytes that are no text are no file of ours either.
    return file.read_bytes().decode("utf-8", errors="replace") if file.exists() else None


def _forgotten(directory: Path, expected: dict[Path, str]) -> set[Path]:
    """Files with names of ours; what else a user keeps beside them is theirs."""
    present = (
        file.relative_to(directory)
        for folder, pattern in ((DASHBOARDS, "qoder-work-*.json"), (IMPORT, "qoder-work-*.json"))
        for file in (directory / folder).glob(pattern)
    )
    return {path for path in present if path not in expected}
