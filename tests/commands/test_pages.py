"""The blocks of commands on the documentation's pages run, with what stands before them in place."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.commands.blocks import ROOT, Block, block, run
from tests.commands.servers import alertmanager, prometheus
from tests.support.exporting import exporting
from tests.support.waiting import free_port

SILENCE = block("docs/alerts.md", "amtool silence")
FITTED = block("docs/alerts.md", "qoder-work-exporter mixin")
JSON_API = block("docs/api.md", "curl -s")
CONFIGURED = block("docs/configuration.md", "qoder-work-exporter check")
GRAFANA = block("docs/dashboards.md", "docker run")
ANNOTATION = block("docs/dashboards.md", "curl -fsS -X POST")
WRITTEN = block("docs/dashboards.md", "make docs")
THRESHOLDS = block("docs/dashboards.md", "echo 'queue_stalled_age")
DRAWN = block("docs/dashboards.md", ".venv/bin/python -m tools.drawing")
STARTED = block("docs/install/index.md", "QODER_PAT=pt-…")
LINKED = block("docs/install/index.md", "qoder-work-exporter mixin")
TARGETS = block("CONTRIBUTING.md", "make demo")
PARTS = block("docs/testing.md", "RANDOM_SEED=101")
MUTATIONS = block("docs/testing.md", ".venv/bin/python tests/mutations.py")
ADDRESS = "127.0.0.1:10190"

pytestmark = pytest.mark.program("bash", "curl", "jq")


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A simulated API with one environment and a queued item."""
    simulation = Simulation()
    simulation.create_work(simulation.create_environment("gpu-workers"))
    with SimulatorThread(simulation) as server:
        yield server.base_url


def serving(given: Block, base_url: str, cwd: Path, after: str) -> str:
    """Run a block whose last command but those after it serves until it is ended, and what is to be run meanwhile."""
    address = f"127.0.0.1:{free_port()}"
    variables = {
        "QODER_BASE_URL": base_url,
        "QODER_PAT": DEFAULT_TOKEN,
        "QODER_EXPORTER_WEB_LISTEN_ADDRESS": address,
    }
    waits = f"until curl -fs http://{address}/-/ready; do kill -0 $!; command sleep 0.1; done"
    script = f"{given.text.strip()} &\n{waits}\n{after}\nkill $!\nwait"
    return run(script, cwd=cwd, variables=variables, places={"pt-…": DEFAULT_TOKEN, ADDRESS: address})


def test_a_token_and_a_command_serve_metrics(base_url: str, tmp_path: Path) -> None:
    start, show = STARTED.text.splitlines()
    said = serving(Block(STARTED.page, STARTED.number, start), base_url, tmp_path, show)
    assert re.search(r'^qoder_work_items\{.*state="queued"} 1.0$', said, re.MULTILINE)


def test_a_configuration_is_checked_and_served(base_url: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(f"accounts: [{{base_url: '{base_url}', token_env: QODER_PAT}}]\n")
    said = serving(CONFIGURED, base_url, tmp_path, f"curl -s http://{ADDRESS}/metrics | grep ^qoder_work_items")
    assert "config.yaml: OK" in said
    assert 'state="queued"} 1.0' in said


def test_a_script_reads_the_live_items(base_url: str, tmp_path: Path) -> None:
    with exporting(base_url, tmp_path) as exporter:
        said = run(JSON_API.text, cwd=tmp_path, variables={}, places={"http://localhost:10190": exporter})
    work_id, state, _ = said.split("\t")
    assert work_id.startswith("work_")
    assert state == "queued"


@pytest.mark.program("prometheus-alertmanager", "amtool")
def test_an_environment_is_silenced(tmp_path: Path) -> None:
    config = tmp_path / "alertmanager.yml"
    shutil.copy(ROOT / "prometheus" / "alertmanager.yml", config)
    with alertmanager(tmp_path, config) as url:
        run(SILENCE.text, cwd=tmp_path, variables={}, places={"http://localhost:9093": url})
        (silence,) = httpx.get(f"{url}/api/v2/silences").json()
    (matcher,) = silence["matchers"]
    assert (matcher["name"], matcher["value"], silence["comment"]) == ("environment", "gpu-workers", "new nodes")


def option(given: Block, name: str) -> str:
    """The value of a command's option."""
    words = shlex.split(given.text)
    return words[words.index(name) + 1]


def test_thresholds_of_ones_own_make_rules_of_ones_own(tmp_path: Path) -> None:
    (given,) = re.findall(r"```yaml\n# thresholds.yml\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), re.DOTALL)
    (tmp_path / "thresholds.yml").write_text(given)
    run(FITTED.text, cwd=tmp_path, variables={})
    rules = (tmp_path / "monitoring/prometheus/rules/qoder-work.rules.yml").read_text()
    assert "> 1800" in rules
    assert f"{option(FITTED, '--exporter-url')}/runbooks/qoderworkqueuestalled" in rules


def test_links_lead_to_ones_own_exporter_and_grafana(tmp_path: Path) -> None:
    run(LINKED.text, cwd=tmp_path, variables={})
    rules = (tmp_path / "prometheus/rules/qoder-work.rules.yml").read_text()
    assert f"{option(LINKED, '--exporter-url')}/runbooks/qoderworkqueuestalled" in rules
    assert f"{option(LINKED, '--grafana-url')}/d/qoder-work-" in rules


def test_a_threshold_changes_rules_and_dashboards(tmp_path: Path) -> None:
    run(THRESHOLDS.text, cwd=tmp_path, variables={})
    assert len(list((tmp_path / "monitoring/grafana/dashboards").glob("*.json"))) == 3


def test_grafana_is_given_folders_that_are_there() -> None:
    """There is no container engine here that could run Grafana's image."""
    places = re.findall(r'-v "\$PWD/(\S+?):(\S+?):ro"', GRAFANA.text)
    assert len(places) == GRAFANA.text.count("-v ") == 2
    assert all((ROOT / place).is_dir() for place, _ in places)
    (provided,) = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/qoder-work.yml").read_text())["providers"]
    assert provided["options"]["path"] in {target for _, target in places}


class Grafana(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    posted: list[tuple[str, str | None, object]]

    def do_POST(self) -> None:
        """Keep it."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posted.append((self.path, self.headers["Authorization"], content))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def test_a_deployment_is_marked(tmp_path: Path) -> None:
    handler = type("Kept", (Grafana,), {"posted": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        variables = {"GRAFANA": f"http://127.0.0.1:{server.server_port}", "GRAFANA_TOKEN": "glsa"}
        run(ANNOTATION.text, cwd=tmp_path, variables=variables)
        server.shutdown()
    mark = {"text": "workers 1.4.2", "tags": ["deployment"]}
    assert handler.posted == [("/api/annotations", "Bearer glsa", mark)]  # type: ignore[attr-defined] # made above


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository with the contributor's environment."""
    clone = tmp_path_factory.mktemp("clone") / "repository"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    (clone / ".venv").symlink_to(Path(sys.prefix))
    return clone


def changed(clone: Path) -> list[str]:
    """The committed files that are not as they are here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = filter(None, listed.stdout.split("\0"))
    return [
        name for name in names if (ROOT / name).is_file() and (ROOT / name).read_bytes() != (clone / name).read_bytes()
    ]


@pytest.mark.program("make", "git")
def test_the_contributors_targets_exist_and_those_that_write_change_nothing(clone: Path) -> None:
    lines = TARGETS.text.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["make", name] for name in ("demo", "test", "lint", "format", "docs")
    ]
    variables = {"PYTHONPATH": str(clone)}
    for line in lines[:3]:  # the README's test runs the first, the others run this and after it
        assert ".venv/bin/" in run(line.replace("make ", "make -n "), cwd=clone, variables=variables)
    run("\n".join(lines[3:]), cwd=clone, variables=variables)
    assert changed(clone) == []


@pytest.mark.program("make", "git")
def test_the_dashboards_are_written_and_checked(clone: Path) -> None:
    run(WRITTEN.text, cwd=clone, variables={"PYTHONPATH": str(clone)})
    assert changed(clone) == []


@pytest.mark.program("prometheus")
def test_the_pictures_are_drawn(clone: Path, tmp_path: Path) -> None:
    with prometheus(tmp_path) as url:
        given = f"tools.drawing --prometheus {url} --output {tmp_path} "
        run(DRAWN.text, cwd=clone, variables={"PYTHONPATH": str(clone)}, places={"tools.drawing ": given})
    assert len(list(tmp_path.glob("qoder-work-*.png"))) == 3


def test_what_testing_says_to_run_can_be_run(clone: Path) -> None:
    for line in PARTS.text.splitlines():
        command = run(line.replace("make ", "make -n "), cwd=clone, variables={})
        (given,) = re.findall(r"(tests/\S+)$", command.strip())
        assert (ROOT / given).exists()
    assert "planner" in run(MUTATIONS.text.replace(".py", ".py --list"), cwd=clone, variables={})
