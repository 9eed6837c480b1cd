"""Write the schemas of Kubernetes', the Prometheus operator's and KEDA's objects that the manifests use.

``python -m tests.deploy.schemas.make`` needs Go, which downloads the modules that hold the originals. They are reduced:
descriptions and the kinds of discovery that are not used here are left out, and unknown keys are refused.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
KUBERNETES = "k8s.io/kubernetes@v1.37.2"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
KEDA = "github.com/kedacore/keda/v2@v2.21.0"
KINDS = {
    "apps.v1": ["Deployment", "StatefulSet"],
    "autoscaling.v2": ["HorizontalPodAutoscaler"],
    "core.v1": ["ConfigMap", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"],
    "networking.v1": ["NetworkPolicy"],
    "policy.v1": ["PodDisruptionBudget"],
}
RESOURCES = ("podmonitors", "prometheusrules", "scrapeconfigs", "servicemonitors")
INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
Json = Any


def module(name: str) -> Path:
    """Where Go keeps a module's files."""
    done = subprocess.run(["go", "mod", "download", "-json", name], capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def strict(schema: Json) -> Json:
    """A schema without descriptions, that refuses unknown keys and knows Kubernetes' own types."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return INT_OR_STRING
    kept = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "default"}
    if isinstance(kept.get("description"), str):
        del kept["description"]
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: strict(value) for name, value in kept["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            kept.setdefault("additionalProperties", False)
    return {key: value if key == "properties" else strict(value) for key, value in kept.items()}


def references(schema: Json) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix("#/definitions/")
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def kubernetes(definitions: Json, name: str) -> Json:
    """The schema of one kind, with the definitions it needs."""
    needed: dict[str, Json] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed[current] = strict(definitions[current])
            waiting += references(needed[current])
    quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    if quantity in needed:
        needed[quantity] = {"type": ["string", "number"]}
    return {"$ref": f"#/definitions/{name}", "definitions": needed}


def custom(resource: Json) -> Json:
    """The schema of the newest version of a custom resource."""
    schema = strict(resource["spec"]["versions"][-1]["schema"]["openAPIV3Schema"])
    spec = schema["properties"]["spec"]["properties"]
    for name in [name for name in spec if name.endswith("SDConfigs") and name != "httpSDConfigs"]:
        del spec[name]
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def main() -> None:
    """Write all schemas, named as kubeconform looks for them."""
    definitions = json.loads((module(KUBERNETES) / "api/openapi-spec/swagger.json").read_text())["definitions"]
    for group, kinds in KINDS.items():
        for kind in kinds:
            write(kind, kubernetes(definitions, f"io.k8s.api.{group}.{kind}"))
    crds = module(OPERATOR) / "example/prometheus-operator-crd"
    for name in RESOURCES:
        resource = yaml.safe_load((crds / f"monitoring.coreos.com_{name}.yaml").read_text())
        write(resource["spec"]["names"]["kind"], custom(resource))

    scaled = yaml.safe_load((module(KEDA) / "config/crd/bases/keda.sh_scaledobjects.yaml").read_text())
    write("ScaledObject", custom(scaled))


def write(kind: str, schema: Json) -> None:
    """Write the schema of a kind."""
    (HERE / f"{kind.lower()}.json").write_text(json.dumps(schema, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
