import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each committed dashboard."""
    decoded: dict[str, Any] = json.loads(request.param.read_text())
    return decoded


@pytest.fixture
def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the headings between them."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]
