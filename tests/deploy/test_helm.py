"""The Helm chart: what it renders is valid for every combination of its examples, and does what its values say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.cli import main
from exporter.config import load
from exporter.mixin.render import DASHBOARDS, RULES, files
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds
from tests.deploy import helm
from tests.deploy.helm import Object, config, of, one, pod, render, workload

pytestmark = pytest.mark.linter("helm")

TOKEN = {"accounts": [{"name": "default", "token": {"value": "pt-example"}}]}
EXAMPLES = helm.examples()
FLAGS = {
    option
    for command in (main, *getattr(main, "commands").values())  # noqa: B009 - click's decorator hides the group's type
    for param in command.params
    for option in param.opts
}
COMBINATIONS = helm.combinations()


def ids(values: list[helm.Values]) -> list[str]:
    return [f"{number}-{'-'.join(value)}"[:60] for number, value in enumerate(values)]


def flags_of(specification: Object) -> set[str]:
    arguments = specification["containers"][0]["args"]
    return {argument.partition("=")[0] for argument in arguments}


def test_helm_finds_nothing_to_complain_about() -> None:
    done = subprocess.run(["helm", "lint", "--strict", str(helm.CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_its_versions_are_those_of_the_program() -> None:
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_every_value_is_in_the_schema_and_every_property_has_a_default() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text())
    values = yaml.safe_load((helm.CHART / "values.yaml").read_text())
    assert schema["properties"].keys() - {"global"} == values.keys()
    for name, part in schema["properties"].items():
        if part.get("additionalProperties") is False:
            assert part["properties"].keys() == values[name].keys(), name


@pytest.mark.parametrize("values", [{}, *EXAMPLES], ids=["defaults", *ids(EXAMPLES)])
def test_each_example_gives_valid_objects(values: helm.Values) -> None:
    assert helm.errors(render(values)) == []


@pytest.mark.parametrize("values", COMBINATIONS, ids=ids(COMBINATIONS))
def test_every_two_examples_together_give_valid_objects(values: helm.Values, tmp_path: Path) -> None:
    objects = render(values)
    assert helm.errors(objects) == []
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(names) == len(set(names))
    assert flags_of(pod(objects)) <= FLAGS
    check_config(config(objects), tmp_path)


def check_config(document: Object, folder: Path) -> None:
    """Let the exporter load a rendered configuration, with the paths of the container below this folder."""
    text = yaml.safe_dump(document)
    for place in ("/etc/qoder-work-exporter/tokens", "/var/lib/qoder-work-exporter"):
        (folder / place[1:]).mkdir(parents=True)
        text = text.replace(place, str(folder / place[1:]))
    for account in document["accounts"]:
        (folder / account["token_file"][1:]).write_text("pt-example")
    (folder / "config.yaml").write_text(text)
    load(folder / "config.yaml")


@pytest.mark.linter("kubeconform")
def test_kubeconform_agrees() -> None:
    values = {
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
        "networkPolicy": {"enabled": True},
        "podDisruptionBudget": {"enabled": True},
        "persistence": {"enabled": True},
        **TOKEN,
    }
    for by in ("serviceMonitor", "podMonitor"):
        text = yaml.safe_dump_all(render(values | {"scrape": {"by": by}}))
        command = ["kubeconform", "-strict", "-summary", f"-schema-location={helm.SCHEMAS}/{{{{.ResourceKind}}}}.json"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"scrape": {"interval": "10s", "timeout": "15s"}}, "scrape.timeout (15s) is above scrape.interval (10s)"),
        ({"scrape": {"interval": "1m", "timeout": "61s"}}, "scrape.timeout (61s) is above scrape.interval (1m)"),
        ({"scrape": {"timeout": "ten"}}, "timeout"),
        ({"web": {"tls": True}}, "web.tls needs web.existingSecret"),
        ({"accounts": []}, "accounts"),
        ({"accounts": [{"name": "a", "token": {}}]}, "token"),
        ({"accounts": [{"name": "a", "token": {"value": "x"}}] * 2}, "two are named a"),
        ({"accounts": [{"name": "a", "token": {"value": "x"}, "token_file": "/x"}]}, "token_file"),
        ({"replica": 2}, "replica"),
        ({"config": {"accounts": []}}, "accounts"),
    ],
)
def test_what_cannot_work_is_refused(values: helm.Values, complaint: str) -> None:
    with pytest.raises(helm.Refused, match=r"values don't meet|error calling fail|execution error") as refused:
        render(values)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("values", COMBINATIONS, ids=ids(COMBINATIONS))
def test_the_pods_keep_to_the_restricted_profile(values: helm.Values) -> None:
    specification = pod(render(values))
    assert specification["securityContext"]["runAsNonRoot"] is True
    assert specification["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & specification.keys()
    assert {kind for volume in specification["volumes"] for kind in volume} <= {
        "name",
        "configMap",
        "projected",
        "secret",
    }
    for container in specification["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_numeric_user_is_the_one_of_the_image() -> None:
    dockerfile = (helm.ROOT / "Dockerfile").read_text()
    context = pod(render({}))["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile


def test_a_token_of_the_values_is_in_a_secret_and_nowhere_else() -> None:
    objects = render(TOKEN)
    assert one(objects, "Secret")["stringData"] == {"default": "pt-example"}
    others = [item for item in objects if item["kind"] != "Secret"]
    assert "pt-example" not in json.dumps(others)


def test_tokens_are_files_in_one_folder_so_that_a_new_one_needs_no_restart() -> None:
    accounts = [
        {"name": "one", "token": {"existingSecret": "theirs", "key": "pat"}},
        {"name": "two", "token": {"value": "pt-example"}},
    ]
    objects = render({"accounts": accounts})
    assert config(objects)["accounts"] == [
        {"name": name, "token_file": f"/etc/qoder-work-exporter/tokens/{name}"} for name in ("one", "two")
    ]
    (tokens,) = (volume for volume in pod(objects)["volumes"] if volume["name"] == "tokens")
    assert [source["secret"] for source in tokens["projected"]["sources"]] == [
        {"name": "theirs", "items": [{"key": "pat", "path": "one"}]},
        {"name": one(objects, "Secret")["metadata"]["name"], "items": [{"key": "two", "path": "two"}]},
    ]
    mounts = pod(objects)["containers"][0]["volumeMounts"]
    assert all("subPath" not in mount for mount in mounts)  # a file mounted alone is never brought up to date


def checksum(values: helm.Values) -> str | None:
    found: str | None = workload(render(values))["spec"]["template"]["metadata"]["annotations"].get("checksum/config")
    return found


def test_a_changed_configuration_rolls_the_pods() -> None:
    assert checksum({}) == checksum({"logs": {"level": "info"}})
    assert checksum({}) != checksum({"config": {"scrape": {"min_interval": "1s"}}})


def test_it_does_not_where_that_is_turned_off() -> None:
    assert checksum({"rolloutOnConfigChange": False}) is None


def test_the_configuration_is_given_as_it_is() -> None:
    sections = {"scrape": {"timeout": "5s"}, "metrics": {"metadata_labels": ["job"]}}
    rendered = config(render({"config": sections}))
    assert {name: rendered[name] for name in sections} == sections


def test_the_rules_are_the_generated_ones() -> None:
    rule = one(render({"prometheusRule": {"enabled": True}}), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(files(Thresholds(), Site())[RULES])


def test_the_links_of_the_rules_lead_where_the_values_say() -> None:
    addresses = {"runbooksUrl": "https://exporter.internal/runbooks/", "grafanaUrl": "https://grafana.internal"}
    rule = one(render({"prometheusRule": {"enabled": True, **addresses}}), "PrometheusRule")
    site = Site(grafana="https://grafana.internal", runbooks="https://exporter.internal/runbooks")
    assert rule["spec"] == yaml.safe_load(files(Thresholds(), site)[RULES])


@pytest.mark.parametrize(
    ("runbooks", "lead_to"), [("", "https://e.internal/runbooks"), ("https://git.internal/r", "https://git.internal/r")]
)
def test_the_exporters_address_leads_to_the_items(runbooks: str, lead_to: str) -> None:
    addresses = {"exporterUrl": "https://e.internal/", "runbooksUrl": runbooks}
    rule = one(render({"prometheusRule": {"enabled": True, **addresses}}), "PrometheusRule")
    site = Site(runbooks=lead_to, exporter="https://e.internal")
    assert rule["spec"] == yaml.safe_load(files(Thresholds(), site)[RULES])


def test_the_dashboards_are_the_generated_ones_and_bear_the_sidecars_label() -> None:
    boards = [
        item
        for item in of(render({"dashboards": {"enabled": True}}), "ConfigMap")
        if item["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    shown = {name: json.loads(text) for board in boards for name, text in board["data"].items()}
    generated = files(Thresholds(), Site())
    assert shown == {path.name: json.loads(text) for path, text in generated.items() if path.parent == DASHBOARDS}
    assert all(len(json.dumps(board)) < 2**20 for board in boards)  # what a ConfigMap holds


def test_the_packaged_chart_renders_as_this_one(tmp_path: Path) -> None:
    """What a release pushes holds the rules and dashboards, which are links in the repository."""
    package = ["helm", "package", str(helm.CHART), "--destination", str(tmp_path)]
    subprocess.run(package, capture_output=True, check=True)
    values = TOKEN | {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}
    assert render(values, chart=tmp_path / f"qoder-work-exporter-{__version__}.tgz") == render(values)


@pytest.mark.parametrize(("by", "kind"), [("serviceMonitor", "ServiceMonitor"), ("podMonitor", "PodMonitor")])
def test_a_monitor_selects_what_the_chart_makes(by: str, kind: str) -> None:
    objects = render({"scrape": {"by": by, "labels": {"release": "prometheus"}}, "persistence": {"enabled": True}})
    monitor = one(objects, kind)
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    selected = monitor["spec"]["selector"]["matchLabels"].items()
    if kind == "PodMonitor":
        assert selected <= workload(objects)["spec"]["template"]["metadata"]["labels"].items()
    else:
        services = [item for item in of(objects, "Service") if selected <= item["metadata"]["labels"].items()]
        (excluded,) = monitor["spec"]["selector"]["matchExpressions"]
        chosen = [item for item in services if excluded["key"] not in item["metadata"]["labels"]]
        assert len(chosen) == 1  # each pod is scraped once
    (endpoint,) = monitor["spec"]["endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("metrics", "15s", "10s")


def test_only_one_way_of_scraping_is_used() -> None:
    for by in ("annotations", "serviceMonitor", "podMonitor", "none"):
        objects = render({"scrape": {"by": by}})
        annotated = "prometheus.io/scrape" in workload(objects)["spec"]["template"]["metadata"].get("annotations", {})
        monitors = [item for item in objects if item["kind"].endswith("Monitor")]
        assert annotated + len(monitors) == (by != "none")


@pytest.mark.parametrize("persistent", [True, False])
def test_a_checkpoint_is_kept_where_there_is_a_volume(persistent: bool) -> None:
    objects = render({"persistence": {"enabled": persistent}, "config": {"history": {"lookback": "7d"}}})
    history = config(objects)["history"]
    assert history == {"lookback": "7d"} | (
        {"checkpoint": "/var/lib/qoder-work-exporter/checkpoint"} if persistent else {}
    )
    assert workload(objects)["kind"] == ("StatefulSet" if persistent else "Deployment")
    paths = [mount["mountPath"] for mount in pod(objects)["containers"][0]["volumeMounts"]]
    assert ("/var/lib/qoder-work-exporter" in paths) == persistent


def test_there_is_no_disruption_budget_and_no_network_policy_by_default() -> None:
    kinds = {item["kind"] for item in render({})}
    assert kinds == {"ServiceAccount", "ConfigMap", "Service", "Deployment"}


def test_with_tls_probes_and_monitors_use_it() -> None:
    objects = render({"web": {"existingSecret": "web", "tls": True}, "scrape": {"by": "serviceMonitor"}})
    (container,) = pod(objects)["containers"]
    probes = [container[probe]["httpGet"]["scheme"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    assert probes == ["HTTPS"] * 3
    assert one(objects, "ServiceMonitor")["spec"]["endpoints"][0]["scheme"] == "https"


SHARDED: helm.Values = {"sharding": {"enabled": True, "shards": 3}, "fullnameOverride": "work"}


def scrape_config(objects: list[Object]) -> Object:
    """A Prometheus scrape configuration, as the operator makes it of a ScrapeConfig."""
    spec = one(objects, "ScrapeConfig")["spec"]
    (discovery,) = spec["httpSDConfigs"]
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return {
        "job_name": spec["jobName"],
        "scheme": spec["scheme"].lower(),
        "metrics_path": spec["metricsPath"],
        "scrape_interval": spec["scrapeInterval"],
        "scrape_timeout": spec["scrapeTimeout"],
        "http_sd_configs": [{"url": discovery["url"], "refresh_interval": discovery["refreshInterval"]}],
        "relabel_configs": [
            {names.get(key, key): value for key, value in relabeling.items()} for relabeling in spec["relabelings"]
        ],
    }


def test_shards_are_pods_that_prometheus_reaches_by_name() -> None:
    objects = render(SHARDED)
    shards = workload(objects)
    assert (shards["kind"], shards["spec"]["replicas"], shards["spec"]["serviceName"]) == (
        "StatefulSet",
        3,
        "work-pods",
    )
    hashing, addressing, _ = scrape_config(objects)["relabel_configs"]
    assert (hashing["action"], hashing["modulus"]) == ("hashmod", 3)
    assert addressing["replacement"] == "work-$1.work-pods.monitoring.svc:10190"
    (headless,) = (item for item in of(objects, "Service") if item["spec"].get("clusterIP") == "None")
    assert headless["metadata"]["name"] == "work-pods"


@pytest.mark.program("promtool")
def test_prometheus_gives_each_environment_to_one_shard(tmp_path: Path) -> None:
    """Prometheus' own relabeling, on targets as /sd lists them."""
    job = scrape_config(render(SHARDED))
    targets: list[Any] = [
        {"targets": ["work.monitoring.svc:10190"], "labels": {"__param_target": f"env_{number:032x}"}}
        for number in range(60)
    ]
    (tmp_path / "targets.json").write_text(json.dumps(targets))
    job |= {"file_sd_configs": [{"files": [str(tmp_path / "targets.json")]}]}
    del job["http_sd_configs"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    command = ["promtool", "check", "service-discovery", "--timeout=1s", str(tmp_path / "prometheus.yml"), "work"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [target["labels"] for target in json.loads(done.stdout[done.stdout.index("[") :])]
    assert len(found) == 60
    assert len({target["instance"] for target in found}) == 60  # else they would share one series of `up`
    addresses = {target["instance"].partition("/")[0] for target in found}
    assert addresses == {f"work-{shard}.work-pods.monitoring.svc:10190" for shard in range(3)}


def test_the_manifests_for_kustomize_are_current() -> None:
    subprocess.run([sys.executable, "-m", "tools.manifests", "--check"], cwd=helm.ROOT, check=True)
