"""The page on Kubernetes, command by command, with the real kubectl and helm, on a real API server without nodes."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from exporter.simulator import DEFAULT_TOKEN
from tests.commands.blocks import ROOT, Block, block, everything, run
from tests.support.waiting import free_port, until

PAGE = "docs/install/kubernetes.md"
PREPARED = block(PAGE, "kubectl create namespace")
HELM = block(PAGE, "helm install")
KUSTOMIZE = block(PAGE, "kubectl apply --kustomize")
RULES = block(PAGE, "sed 's|docs/runbooks")
RUNBOOKS = [each for each in everything() if "kubectl get pods" in each.text]
ADMIN = "a-token-of-this-test"

pytestmark = [pytest.mark.linter("kubernetes", "helm"), pytest.mark.program("bash", "openssl")]


class Cluster:
    """An API server, and the shell of a user who administers it.

    Attributes:
        home: The user's home.
    """

    def __init__(self, home: Path, bin_: Path) -> None:
        self.home = home
        self._bin = bin_

    def run(self, script: str, *, typed: str = "", path: str = "") -> str:
        """Run commands in the repository."""
        return run(
            script, cwd=ROOT, variables={"HOME": str(self.home)}, typed=typed, path=f"{path}{self._bin}{os.pathsep}"
        )

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object of the page's namespace."""
        found: dict[str, Any] = json.loads(self.run(f"kubectl -n monitoring get {kind} {name} -o json"))
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of an API server alone: objects are admitted, stored and shown, and nobody acts on them."""
    folder = tmp_path_factory.mktemp("cluster")
    bin_, home = folder / "bin", folder / "home"
    program = shutil.which("kubernetes")
    assert program is not None
    bin_.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (bin_ / name).symlink_to(program)
    port, store, peer = free_port(), f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    key = str(folder / "key.pem")
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    (folder / "tokens").write_text(f"{ADMIN},admin,1,system:masters\n")
    etcd = [
        *(str(bin_ / "etcd"), "--data-dir", str(folder / "data"), "--unsafe-no-fsync"),
        *("--listen-client-urls", store, "--advertise-client-urls", store),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]
    server = [
        *(str(bin_ / "kube-apiserver"), "--etcd-servers", store, "--cert-dir", str(folder / "certificates")),
        *("--bind-address", "127.0.0.1", "--secure-port", str(port), "--service-cluster-ip-range", "10.0.0.0/24"),
        *("--authorization-mode", "RBAC", "--token-auth-file", str(folder / "tokens")),
        *("--service-account-issuer", "https://example.org", "--service-account-key-file", key),
        *("--service-account-signing-key-file", key, "--disable-admission-plugins", "ServiceAccount"),
    ]
    url = f"https://127.0.0.1:{port}"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").write_text(yaml.safe_dump(kubeconfig(url)))
    with (folder / "log").open("wb") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in (etcd, server)]

        def ready() -> bool:
            assert all(process.poll() is None for process in processes), (folder / "log").read_text()[-4000:]
            try:
                headers = {"Authorization": f"Bearer {ADMIN}"}
                return httpx.get(f"{url}/readyz", headers=headers, verify=False).status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(ready, "the API server is ready")
            yield Cluster(home, bin_)
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


def kubeconfig(url: str) -> dict[str, object]:
    """How the user reaches the server."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": ADMIN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
    }


@pytest.fixture(scope="module")
def prepared(cluster: Cluster) -> Cluster:
    """The cluster after the first block, which asks for the token; the namespace admits restricted pods alone."""
    cluster.run(PREPARED.text, typed=DEFAULT_TOKEN)
    cluster.run("kubectl label namespace monitoring pod-security.kubernetes.io/enforce=restricted")
    return cluster


def test_the_server_admits_what_helm_installs(prepared: Cluster) -> None:
    said = prepared.run(f"{HELM.text.strip()} 2>&1")
    assert "STATUS: deployed" in said
    assert "Warning" not in said
    assert_its_pods_are_admitted(prepared, "deployment")
    prepared.run("helm --namespace monitoring uninstall qoder-work-exporter")


def test_the_server_admits_what_kustomize_applies(prepared: Cluster) -> None:
    said = prepared.run(f"{KUSTOMIZE.text.strip()} 2>&1")
    assert "statefulset.apps/qoder-work-exporter created" in said
    assert "Warning" not in said
    assert_its_pods_are_admitted(prepared, "statefulset")


def test_the_server_admits_the_rules_with_links_of_ones_own(prepared: Cluster) -> None:
    prepared.run("kubectl apply -f - && kubectl wait --for=condition=Established crd --all", typed=definition())
    assert "prometheusrule.monitoring.coreos.com/qoder-work-exporter created" in prepared.run(
        f"{RULES.text.strip()} 2>&1"
    )
    rules = json.dumps(prepared.get("prometheusrules", "qoder-work-exporter"))
    assert "https://exporter.example.org/runbooks/qoderworkqueuestalled" in rules
    assert "https://grafana.internal/d/qoder-work-" in rules


def definition() -> str:
    """The operator's definition of rules, with the schema that is kept of it."""
    schema = json.loads((ROOT / "tests/deploy/schemas/prometheusrule.json").read_text())
    names = {"kind": "PrometheusRule", "listKind": "PrometheusRuleList", "plural": "prometheusrules"}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _structural(schema)}}
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "prometheusrules.monitoring.coreos.com"},
            "spec": {
                "group": "monitoring.coreos.com",
                "scope": "Namespaced",
                "names": names | {"singular": "prometheusrule"},
                "versions": [served],
            },
        }
    )


def _structural(schema: Any) -> Any:
    """A schema as a definition must write it: nothing else is allowed in any case, and what has two types says so."""
    if isinstance(schema, list):
        return [_structural(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _structural(each) for key, each in schema.items() if key != "$schema"}
    if "anyOf" in kept and "type" not in kept:
        kept["x-kubernetes-int-or-string"] = True
    return {key: each for key, each in kept.items() if (key, each) != ("additionalProperties", False)}


def assert_its_pods_are_admitted(cluster: Cluster, kind: str) -> None:
    """A pod as the workload makes it passes the namespace's Pod Security Standard."""
    specification = cluster.get(kind, "qoder-work-exporter")["spec"]["template"]["spec"]
    volumes = specification.setdefault("volumes", [])
    named = {volume["name"] for volume in volumes}
    claimed = {mount["name"] for mount in specification["containers"][0]["volumeMounts"]} - named
    volumes += [{"name": name, "emptyDir": {}} for name in claimed]  # a StatefulSet claims one for each of its pods
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": specification}
    said = cluster.run("kubectl -n monitoring create --dry-run=server -f - 2>&1", typed=json.dumps(pod))
    assert said == "pod/one created (server dry run)\n"


@pytest.mark.parametrize("asking", RUNBOOKS, ids=str)
def test_what_runbooks_ask_a_cluster_is_understood(asking: Block, prepared: Cluster) -> None:
    (line,) = (line for line in asking.text.splitlines() if line.startswith("kubectl "))
    assert prepared.run(line) == ""  # there are no pods
