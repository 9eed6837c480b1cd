"""Write what is deployed without Helm, from the chart and the examples: ``python -m tools.manifests [--check]``.

With ``--check`` nothing is written; the exit status is 1 if a file is not current. Without helm on this machine, only
what needs no chart is written or checked.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from exporter.mixin.render import RULES, files
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy" / "helm" / "qoder-work-exporter"
OUTPUT = ROOT / "deploy" / "kubernetes"
NAME = "qoder-work-exporter"
HEAD = "# Written by `make docs` from {source}; not to be edited by hand. Change it with kustomize.\n"
QUIET_HEAD = """\
# Written by `make docs` from prometheus/alertmanager.yml, with receivers that tell nobody: look at the alerts at
# http://localhost:9093. To be told, give the receivers at the end a webhook, an e-mail address or a chat.
"""
COMPOSE = Site("http://localhost:3000", "http://localhost:10190/runbooks", "http://localhost:10190")
"""Where Grafana and the exporter are in the stack for Compose."""

HELMS_OWN = ("app.kubernetes.io/managed-by", "helm.sh/chart")
VALUES = {
    "fullnameOverride": NAME,
    "scrape": {"by": "serviceMonitor"},
    "persistence": {"enabled": True},
    # The configuration is changed in place here: its pods are restarted by hand, or load it on request.
    "rolloutOnConfigChange": False,
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def rule() -> dict[str, Any]:
    """The alert rules as the operator's object."""
    groups = yaml.safe_load(files(Thresholds(), Site())[RULES])
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}
    metadata = {"name": NAME, "labels": labels}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata, "spec": groups}


def rendered() -> list[dict[str, Any]]:
    """The chart's objects, without what only Helm needs."""
    command = ["helm", "template", NAME, str(CHART), "--values", "-"]
    done = subprocess.run(command, input=json.dumps(VALUES), capture_output=True, text=True, check=True)  # noqa: S603
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    for item in objects:
        del item["metadata"]["namespace"]
        for label in HELMS_OWN:
            item["metadata"]["labels"].pop(label, None)
    return objects


def quiet_alertmanager() -> str:
    """The example of Alertmanager's configuration, with receivers that tell nobody."""
    example = (ROOT / "prometheus" / "alertmanager.yml").read_text(encoding="utf-8")
    routes, marker, _ = example.partition("\nreceivers:\n")
    names = [receiver["name"] for receiver in yaml.safe_load(example)["receivers"]]
    return QUIET_HEAD + routes + marker + "".join(f"  - name: {name}\n" for name in names)


def current() -> dict[Path, str]:
    """Every file as it should be."""
    expected = {
        OUTPUT / "operator" / "rules.yaml": _text("the rules", [rule()]),
        ROOT / "deploy" / "compose" / "rules.yml": files(Thresholds(), COMPOSE)[RULES],
        ROOT / "deploy" / "compose" / "alertmanager.yml": quiet_alertmanager(),
    }
    if shutil.which("helm"):
        objects = rendered()
        monitors = [item for item in objects if item["kind"] == "ServiceMonitor"]
        others = [item for item in objects if item["kind"] != "ServiceMonitor"]
        expected[OUTPUT / "operator" / "monitor.yaml"] = _text("the Helm chart", monitors)
        expected[OUTPUT / "exporter" / "exporter.yaml"] = _text("the Helm chart", others)
    return expected


def _text(source: str, objects: Iterable[dict[str, Any]]) -> str:
    body = yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=1000, explicit_start=True)
    return HEAD.format(source=source) + body


def main(arguments: list[str]) -> int:
    """Write the files, or check them."""
    expected = current()
    outdated = [file for file, text in expected.items() if not file.exists() or file.read_text("utf-8") != text]
    for file in outdated:
        if "--check" in arguments:
            sys.stderr.write(f"{file.relative_to(ROOT)}: not current; run `make docs`\n")
        else:
            file.write_text(expected[file], encoding="utf-8")
    return int(bool(outdated) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
