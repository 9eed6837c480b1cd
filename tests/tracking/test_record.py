"""Every field of the ledger is in the record, and comes back from it: a new one that was forgotten fails here."""

from dataclasses import fields
from typing import Any

import pytest

from exporter.tracking.ledger import Ledger
from exporter.tracking.observation import Labeller
from exporter.tracking.record import EnvironmentRecord, record, restore_ledger
from tests.support.settings import tracking_settings

PARTS = {"history": "segments", "tail": "recent", "live": "live", "lifecycle": "lifecycle"}
"""Fields that have a form of their own in the record, and its name; tests/tracking/test_checkpoint.py compares them."""

NOT_KEPT = {"found": "counts since this process began"}
"""Fields that a later run need not know, and why."""

OTHER: dict[str, Any] = {
    "origin": "work_1",
    "foothold": "work_0",
    "since": 17.0,
    "complete": True,
    "traversed": "work_2",
    "doubtful": {"work_3"},
    "began": 18.0,
    "corrections": 19,
    "counted": {"work_4": 3},
}
"""A value of each plain field that is not its default."""

PLAIN = [field.name for field in fields(Ledger) if field.name not in {*PARTS, *NOT_KEPT, "without_id"}]


def restored(ledger: Ledger) -> Ledger:
    settings = tracking_settings()
    labeller = Labeller(settings.metadata_keys, settings.max_label_values)
    return restore_ledger(
        record(ledger, labeller, settings, base_url="", environment_id="", saved_at=0.0, traversed_at=None)
    )


def test_every_part_has_its_place_in_the_record() -> None:
    places = {PARTS.get(field.name, field.name) for field in fields(Ledger) if field.name not in NOT_KEPT}
    assert places <= set(EnvironmentRecord.__struct_fields__)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_field_comes_back(name: str) -> None:
    ledger = Ledger()
    assert getattr(ledger, name) != OTHER[name]
    setattr(ledger, name, OTHER[name])
    assert getattr(restored(ledger), name) == OTHER[name]


def test_items_without_an_id_come_back() -> None:
    ledger = Ledger()
    ledger.without_id.places["work_1"] = 2
    assert restored(ledger).without_id.places == {"work_1": 2}
