import pytest
import yaml

from exporter.mixin.promql import duration
from exporter.mixin.rules.catalogue import alerts
from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.thresholds import REASONS, Thresholds, decode
from tests.rules.places import RULES


def test_every_threshold_changes_the_rules() -> None:
    original = rules_file(Thresholds(), Site())
    other = {"beating_within": 300, "objective_wait": 600, "api_slow_seconds": 5}

    idle = [
        name
        for name in REASONS
        if rules_file(decode({name: other.get(name, getattr(Thresholds(), name) / 2)}), Site()) == original
    ]

    assert idle == []


def test_pending_times_can_be_scaled_for_tests() -> None:
    fast = yaml.safe_load(rules_file(Thresholds(), Site(), pending_scale=0.001))
    slow = yaml.safe_load(RULES.read_text())
    pending = {rule["alert"]: rule.pop("for") for group in fast["groups"] for rule in group["rules"] if "for" in rule}
    assert pending["QoderWorkHeartbeatLost"] == "60ms"
    assert pending == {alert.name: duration(alert.pending / 1000) for alert in alerts(Thresholds()) if alert.pending}
    for group in slow["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    assert fast == slow


@pytest.mark.parametrize(
    ("seconds", "text"), [(900, "15m"), (90, "90s"), (7200, "2h"), (86_400, "1d"), (0.06, "60ms"), (0, "0s")]
)
def test_durations_are_written_as_promql_reads_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
