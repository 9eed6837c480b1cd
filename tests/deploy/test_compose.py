"""The compose stack: its files are valid, and what they describe runs, from the files that it mounts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.mixin.rules.catalogue import alerts
from exporter.simulator import DEFAULT_TOKEN
from exporter.thresholds import Thresholds
from tests.deploy import sandbox

ROOT = Path(__file__).parents[2]
HOME = ROOT / "deploy" / "compose"
SCHEMA = Path(__file__).parent / "schemas" / "compose-spec.json"
FILES = ("compose.yaml", "compose.qoder.yaml")
OWN = "qoder-work-exporter"
PROGRAMS = {
    "docker.io/prom/prometheus": ["prometheus"],
    "docker.io/prom/alertmanager": ["prometheus-alertmanager"],
    OWN: [sys.executable, "-m", "exporter"],
}
"""What is run here in the place of an image. Grafana comes from no distribution."""


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((HOME / name).read_text())
    return document


STACK = read("compose.yaml")["services"]


def mounts(services: dict[str, Any]) -> dict[str, Path]:
    """The files and folders of the repository that are mounted, by their place in the container."""
    volumes = [volume.split(":") for service in services.values() for volume in service.get("volumes", [])]
    return {volume[1]: (HOME / volume[0]).resolve() for volume in volumes if volume[0].startswith(".")}


def named_volumes(services: dict[str, Any]) -> list[str]:
    volumes = [volume.split(":") for service in services.values() for volume in service.get("volumes", [])]
    return [volume[1] for volume in volumes if not volume[0].startswith(".")]


def image_name(service: dict[str, Any]) -> str:
    name: str = service["image"]
    return name if name == OWN else name.rpartition(":")[0]


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_specification_says(name: str) -> None:
    jsonschema.validate(read(name), json.loads(SCHEMA.read_text()))


@pytest.mark.linter("compose-spec")
@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["simulated", "real"])
def test_the_files_are_read_and_merged_by_the_library_of_compose(files: tuple[str, ...]) -> None:
    command = ["compose-spec", "--no-interpolation", "--format", "json", *files]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    exporter = json.loads(done.stdout)["services"]["exporter"]
    # Merged without a variable's value, an environment becomes a list.
    required = ["QODER_PAT=${QODER_PAT:?set it to the token of your account}"]
    assert exporter["environment"] == (required if len(files) == 2 else {"QODER_PAT": DEFAULT_TOKEN})
    (config,) = (Path(mount["source"]) for mount in exporter["volumes"] if mount["type"] == "bind")
    assert config.name == ("exporter.qoder.yaml" if len(files) == 2 else "exporter.yaml")


def test_the_simulation_is_given_the_token_that_it_accepts() -> None:
    assert STACK["exporter"]["environment"] == {"QODER_PAT": DEFAULT_TOKEN}


def test_every_image_is_built_here_or_has_a_version() -> None:
    for name, service in STACK.items():
        built = service["image"] == OWN and (HOME / service.get("build", "-")).resolve() == ROOT
        assert built or service["image"].rpartition(":")[2][-1].isdigit(), name


def test_what_is_mounted_is_in_the_repository() -> None:
    found = mounts(STACK) | mounts(read("compose.qoder.yaml")["services"])
    assert all(source.exists() for source in found.values())
    assert set(found.values()) > {HOME / "rules.yml", ROOT / "grafana" / "dashboards"}


def test_it_is_reached_from_this_machine_alone() -> None:
    ports = [port for service in STACK.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_alertmanager_routes_and_inhibits_as_the_example_does_and_tells_nobody() -> None:
    stack = read("alertmanager.yml")
    example = yaml.safe_load((ROOT / "prometheus" / "alertmanager.yml").read_text())
    names = [{"name": receiver["name"]} for receiver in example["receivers"]]
    assert stack == example | {"receivers": names}


@pytest.mark.program("promtool")
def test_promtool_accepts_what_prometheus_is_given(tmp_path: Path) -> None:
    _check_with_promtool("promtool", tmp_path)


@pytest.mark.linter("promtool3")
def test_the_promtool_of_prometheus_3_does_too(tmp_path: Path) -> None:
    _check_with_promtool("promtool3", tmp_path)


def _check_with_promtool(program: str, folder: Path) -> None:
    inside = "/etc/prometheus/"
    for target, source in mounts({"prometheus": STACK["prometheus"]}).items():
        place = folder / target.removeprefix(inside)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, place) if source.is_dir() else shutil.copy(source, place)
    done = subprocess.run(
        [program, "check", "config", str(folder / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout


@pytest.mark.program("amtool")
def test_amtool_accepts_what_alertmanager_is_given() -> None:
    done = subprocess.run(
        ["amtool", "check-config", str(HOME / "alertmanager.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.program("bwrap")
@pytest.mark.parametrize("name", FILES)
def test_the_exporter_accepts_its_configuration(name: str) -> None:
    services = {"exporter": STACK["exporter"] | read(name)["services"]["exporter"]}
    done = sandbox.run(
        [*PROGRAMS[OWN], "check", *services["exporter"].get("command", [])],
        files=mounts(services),
        directories=named_volumes(services),
        variables={"QODER_PAT": DEFAULT_TOKEN},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.program("bwrap", "prometheus", "prometheus-alertmanager")
def test_the_stack_runs_from_the_mounted_files() -> None:
    services = {
        name: {
            "command": [*PROGRAMS[image_name(service)], *service["command"]],
            "environment": service.get("environment", {}),
        }
        for name, service in STACK.items()
        if image_name(service) in PROGRAMS
    }
    assert STACK.keys() - services.keys() == {"grafana"}
    done = sandbox.run(
        [sys.executable, "-m", "tests.deploy.stack", json.dumps(services)],
        files=mounts(STACK),
        directories=[volume for volume in named_volumes(STACK) if volume != "/var/lib/grafana"],
        hosts=list(STACK),
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["items"] > 0
    assert seen["up"] == 1
    assert set(seen["rules"]) == {alert.name for alert in alerts(Thresholds())}
    assert seen["runbooks"] == {alert.name: 200 for alert in alerts(Thresholds())}, "links in alerts lead there"
    assert seen["links"] == ["http://localhost:10190/environments/{{ $labels.environment_id | urlquery }}"]
    assert seen["alertmanagers"] == ["http://alertmanager:9093/api/v2/alerts"]
    assert seen["alertmanager"] == "disabled"  # the cluster of one needs none
    assert seen["dashboards"] == ["qoder-work-environment", "qoder-work-exporter", "qoder-work-fleet"]
