"""Rendering the chart with the real helm, and checking what it renders against the schemas of Kubernetes."""

import copy
import functools
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "qoder-work-exporter"
SCHEMAS = Path(__file__).parent / "schemas"
Object = dict[str, Any]
Values = dict[str, Any]


class Refused(Exception):
    """Helm does not render these values; the text says why."""


def render(values: Values, *, name: str = "work", namespace: str = "monitoring", chart: Path = CHART) -> list[Object]:
    """The objects of a release with these values.

    Raises:
        Refused: The values are wrong.
    """
    done = subprocess.run(
        ["helm", "template", name, str(chart), "--namespace", namespace, "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of(objects: list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [item for item in objects if item["kind"] == kind]


def one(objects: list[Object], kind: str) -> Object:
    """The only object of a kind."""
    (found,) = of(objects, kind)
    return found


def workload(objects: list[Object]) -> Object:
    """The Deployment or StatefulSet."""
    (found,) = [*of(objects, "Deployment"), *of(objects, "StatefulSet")]
    return found


def pod(objects: list[Object]) -> Object:
    """The specification of the pods."""
    specification: Object = workload(objects)["spec"]["template"]["spec"]
    return specification


def config(objects: list[Object]) -> Object:
    """The exporter's configuration."""
    (text,) = (item["data"]["config.yaml"] for item in of(objects, "ConfigMap") if "config.yaml" in item["data"])
    document: Object = yaml.safe_load(text)
    return document


@functools.cache
def validator(kind: str) -> jsonschema.Draft7Validator:
    """What checks objects of a kind."""
    return jsonschema.Draft7Validator(json.loads((SCHEMAS / f"{kind.lower()}.json").read_text()))


def errors(objects: list[Object]) -> list[str]:
    """What is wrong with objects, by Kubernetes' own schemas."""
    return [
        f"{item['kind']} {item['metadata']['name']}: {error.json_path}: {error.message}"
        for item in objects
        for error in validator(item["kind"]).iter_errors(item)
    ]


def examples() -> list[Values]:
    """The values that the schema gives as examples, each alone."""
    return list(_examples(json.loads((CHART / "values.schema.json").read_text())))


def _examples(schema: Any) -> Iterator[Values]:
    yield from schema.get("examples", [])
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict):
            yield from ({name: value} for value in _examples(part))


def combinations() -> list[Values]:
    """Few values in which every two of the examples that may stand together do so at least once."""
    alone = examples()
    uncovered = {
        (first, second)
        for first, second in itertools.combinations(range(len(alone)), 2)
        if not _overlap(alone[first], alone[second])
    }
    found = []
    while uncovered:
        chosen: list[int] = list(min(uncovered))
        for candidate in range(len(alone)):
            if not any(_overlap(alone[candidate], alone[other]) for other in chosen) and any(
                tuple(sorted((candidate, other))) in uncovered for other in chosen
            ):
                chosen.append(candidate)
        uncovered -= set(itertools.combinations(sorted(chosen), 2))
        found.append(functools.reduce(merged, (alone[number] for number in chosen)))
    return found


def _overlap(first: Any, second: Any) -> bool:
    if not isinstance(first, dict) or not isinstance(second, dict):
        return True
    return any(_overlap(first[key], second[key]) for key in first.keys() & second.keys())


def merged(first: Values, second: Values) -> Values:
    """Both values, section by section."""
    result = copy.deepcopy(first)
    for key, value in second.items():
        result[key] = merged(result[key], value) if isinstance(result.get(key), dict) else copy.deepcopy(value)
    return result
