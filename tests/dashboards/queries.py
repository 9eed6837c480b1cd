"""Every query of every panel, and those that have a reason to return nothing."""

import json
from dataclasses import dataclass
from typing import Any

from tests.dashboards.conftest import FILES

Json = dict[str, Any]
BOARDS: dict[str, Json] = {file.stem: json.loads(file.read_text()) for file in FILES}


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of one panel."""

    board: str
    panel: str
    ref_id: str

    @property
    def target(self) -> Json:
        (panel,) = (panel for panel in BOARDS[self.board]["panels"] if panel["title"] == self.panel)
        (target,) = (target for target in panel["targets"] if target["refId"] == self.ref_id)
        return dict(target)


EVERYTHING = frozenset(
    Asked(uid, panel["title"], target["refId"])
    for uid, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
    for target in panel["targets"]
)

EMPTY_IN_HEALTH = {
    Asked(
        "qoder-work-environment", "Failed refreshes per minute, by reason", "A"
    ): "a reason is counted once it occurs",
    Asked("qoder-work-exporter", "Failed refreshes per minute, by reason", "A"): "a reason is counted once it occurs",
    Asked("qoder-work-exporter", "Retries per minute, by reason", "A"): "a reason is counted once it occurs",
}
"""Queries that return nothing until something breaks, and why."""

ABSENT_IN_THE_DEMO = {
    Asked("qoder-work-exporter", "Time since the checkpoint", "A"): "the demo keeps no checkpoint",
    Asked("qoder-work-exporter", "Checkpoints that failed, over an hour", "A"): "the demo keeps no checkpoint",
}
"""Queries on what the demo does not have, and why; tests/dashboards/test_pair.py evaluates them on made-up data."""
