"""Where the rules and what belongs to them lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "prometheus" / "rules" / "qoder-work.rules.yml"
UNIT_TESTS = sorted((ROOT / "prometheus" / "tests").glob("*.test.yml"))
PROMETHEUS_CONFIG = ROOT / "prometheus" / "prometheus.yml"
ALERTMANAGER_CONFIG = ROOT / "prometheus" / "alertmanager.yml"
RUNBOOKS = ROOT / "docs" / "runbooks"
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
