"""The library for jsonnet pipelines holds the generated rules and dashboards."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.mixin.render import DASHBOARDS, RULES, files
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds

ROOT = Path(__file__).parents[2]
SNIPPET = """
local mixin = import 'deploy/mixin/mixin.libsonnet';
{ boards: mixin.grafanaDashboards, alerts: mixin.prometheusAlerts.groups, rules: mixin.prometheusRules.groups }
"""


@pytest.mark.linter("jsonnet")
def test_it_holds_what_is_generated() -> None:
    version = subprocess.run(["jsonnet", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if "Go implementation" not in version:
        pytest.skip(f"{version} is not go-jsonnet, which the library needs")
    done = subprocess.run(["jsonnet", "-e", SNIPPET], cwd=ROOT, capture_output=True, text=True, check=True)
    mixin = json.loads(done.stdout)
    generated = files(Thresholds(), Site())
    expected = {path.name: json.loads(text) for path, text in generated.items() if path.parent == DASHBOARDS}
    assert mixin["boards"] == expected
    groups = yaml.safe_load(generated[RULES])["groups"]
    by_name = {group["name"]: group for group in (*mixin["alerts"], *mixin["rules"])}
    assert by_name == {group["name"]: group for group in groups}
    assert all(any("alert" in rule for rule in group["rules"]) for group in mixin["alerts"])
    assert all("record" in rule for group in mixin["rules"] for rule in group["rules"])
