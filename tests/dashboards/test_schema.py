"""Grafana's own model of a classic dashboard, as its foundation SDK has it, knows everything the JSON says."""

import copy
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    # It is the classic schema that Grafana 10 reads; the SDK would rather have everybody move on.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()

Json = dict[str, Any]
pytestmark = pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")


def changed(ours: object, theirs: object, path: str = "") -> Iterator[str]:
    """Where something is missing or different after a passage through Grafana's model."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from changed(value, theirs[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for mine, its in zip(ours, theirs, strict=True):
            yield from changed(mine, its, f"{path}[]")
    elif ours != theirs:
        yield path


def through_the_model(board: Json) -> Json:
    decoded: Json = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(board))))
    return decoded


def test_grafanas_model_keeps_everything(board: Json) -> None:
    assert set(changed(board, through_the_model(board))) == set()


@pytest.mark.parametrize("where", ["options", "fieldConfig.defaults", "fieldConfig.defaults.custom", "gridPos", ""])
def test_the_check_finds_a_misspelt_key_anywhere(where: str, board: Json) -> None:
    panel = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    for step in filter(None, where.split(".")):
        panel = panel[step]
    panel["misspelt"] = True
    assert any(path.endswith("misspelt") for path in changed(board, through_the_model(board)))
