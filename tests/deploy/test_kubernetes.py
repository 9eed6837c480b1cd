"""The plain manifests: valid, current, and put together by kustomize."""

import subprocess
from pathlib import Path

import pytest
import yaml

from exporter import __version__
from tests.deploy import helm
from tools import manifests

FILES = sorted(path for path in manifests.OUTPUT.rglob("*.yaml") if path.name != "kustomization.yaml")


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_the_objects_are_what_kubernetes_expects(path: Path) -> None:
    objects = [document for document in yaml.safe_load_all(path.read_text()) if document]
    assert objects
    assert helm.errors(objects) == []


def test_the_rules_are_the_generated_ones() -> None:
    assert yaml.safe_load((manifests.OUTPUT / "operator" / "rules.yaml").read_text()) == manifests.rule()


def test_nothing_in_them_is_helms() -> None:
    assert all("helm" not in path.read_text().partition("\n")[2].lower() for path in FILES)


def test_the_image_has_the_version_of_the_program() -> None:
    kustomization = yaml.safe_load((manifests.OUTPUT / "exporter" / "kustomization.yaml").read_text())
    assert kustomization["images"][0]["newTag"] == __version__


@pytest.mark.linter("kustomize")
@pytest.mark.parametrize(("folder", "kinds"), [("exporter", 5), ("operator", 7)])
def test_kustomize_builds_them(folder: str, kinds: int) -> None:
    command = ["kustomize", "build", str(manifests.OUTPUT / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    objects = list(yaml.safe_load_all(done.stdout))
    assert len(objects) == kinds
    assert {item["metadata"]["namespace"] for item in objects} == {"monitoring"}
    assert helm.errors(objects) == []
