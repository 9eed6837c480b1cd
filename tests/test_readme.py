"""What the README and the other documents say is true: commands run, names exist, tables are current, links lead on."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml

from exporter.cli import main
from exporter.config import load
from exporter.config.model import Config
from exporter.metrics.table import METRICS
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from tests.support.inherited import inherited

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PATIENCE = 120


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.strip().splitlines()]


def ids_of(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """A simulated API with one environment."""
    simulation = Simulation()
    environment_id = simulation.create_environment("gpu-workers")
    for state in ("queued", "active", "stopped"):
        simulation.create_work(environment_id, state=state)
    with SimulatorThread(simulation) as server:
        yield server.base_url


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `pip install .` has put the command; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "checkout"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", ".*cache*", ".hypothesis", "build"))
    arguments = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *arguments, "."], cwd=source, check=True, timeout=PATIENCE)
    return target


def environ(installed: Path, **variables: str) -> dict[str, str]:
    """An environment in which the installed command is found."""
    kept = inherited("QODER_")
    path = f"{installed / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": str(installed)} | variables


@contextmanager
def running(command: str, cwd: Path, variables: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a command as the shell would, and end it as a supervisor would."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}" if "=" not in shlex.split(command)[0] else command],
        cwd=cwd,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        sys.stdout.write(output)
        assert DEFAULT_TOKEN not in output


def until(process: "subprocess.Popen[str]", condition: Callable[[], bool], what: str) -> None:
    """Wait for something that takes a moment while a process runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"it ended with {process.returncode} before there was {what}"
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def scraped(port: int) -> str:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return ""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_these_are_the_commands_it_gives() -> None:
    assert COMMANDS == [
        "make demo",
        "curl -s http://127.0.0.1:10190/metrics | grep ^qoder_work_items",
        "pip install .",
        "QODER_PAT=pt-… qoder-work-exporter",
        "qoder-work-exporter check --config.file=config.yaml",
        "qoder-work-exporter --config.file=config.yaml",
        "qoder-work-exporter inspect --url http://localhost:10190",
        "qoder-work-exporter inspect gpu-workers --url http://localhost:10190 --state active",
        "qoder-work-exporter inspect gpu-workers work_019f3be4fd2475d9a784bf2c739e1194",
    ]


@pytest.mark.program("make", "curl")
def test_the_demo_shows_active_items() -> None:
    port = free_port()
    variables = inherited() | {"QODER_EXPORTER_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    show = COMMANDS[1].replace("10190", str(port))
    with running(COMMANDS[0], ROOT, variables) as process:
        until(
            process,
            lambda: bool(
                re.search(
                    r'state="active"} [1-9]',
                    subprocess.run(["bash", "-c", show], capture_output=True, text=True, check=False).stdout,
                )
            ),
            "active items",
        )


def test_a_full_start_is_a_token_and_a_command(installed: Path, api: str, tmp_path: Path) -> None:
    port = free_port()
    variables = environ(installed, QODER_BASE_URL=api, QODER_EXPORTER_WEB_LISTEN_ADDRESS=f"127.0.0.1:{port}")
    with running(COMMANDS[3].replace("pt-…", DEFAULT_TOKEN), tmp_path, variables) as process:
        until(process, lambda: 'state="active"} 1.0' in scraped(port), "the active item")
        for command in COMMANDS[6:8]:
            asked = command.replace("localhost:10190", f"127.0.0.1:{port}")
            shown = subprocess.run(["bash", "-c", asked], env=variables, capture_output=True, text=True, check=True)
            assert "gpu-workers" in shown.stdout
    token = variables | {"QODER_PAT": DEFAULT_TOKEN}
    shown = subprocess.run(["bash", "-c", COMMANDS[8]], env=token, capture_output=True, text=True, check=False)
    assert (shown.returncode, "knows no item work_019f" in shown.stderr) == (1, True)  # it is the documentation's


def test_a_configuration_is_checked_and_served(installed: Path, api: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "config.yaml").write_text(f"accounts: [{{name: default, base_url: '{api}', token_env: QODER_PAT}}]\n")
    address = f"127.0.0.1:{port}"
    variables = environ(installed, QODER_PAT=DEFAULT_TOKEN, QODER_EXPORTER_WEB_LISTEN_ADDRESS=address)
    checked = subprocess.run(["bash", "-c", COMMANDS[4]], cwd=tmp_path, env=variables, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with running(COMMANDS[5], tmp_path, variables) as process:
        until(process, lambda: 'state="active"} 1.0' in scraped(port), "the active item")


@pytest.mark.program("promtool")
def test_the_snippet_for_prometheus_is_a_configuration(tmp_path: Path) -> None:
    (snippet,) = blocks("yaml")
    assert yaml.safe_load(snippet)["rule_files"] == ["prometheus/rules/*.rules.yml"]
    shutil.copytree(ROOT / "prometheus" / "rules", tmp_path / "prometheus" / "rules")
    (tmp_path / "prometheus.yml").write_text(snippet)
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids_of(DOCUMENTS))
def test_commands_named_in_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    named = set(re.findall(r"qoder-work-exporter ([a-z]+)[ `|\n]", text))
    commands = getattr(main, "commands")  # noqa: B009 - click's decorator hides the group's type
    assert named - {"on", "and", "is"} <= set(commands)
    flags = {flag for command in (main, *commands.values()) for option in command.params for flag in option.opts}
    given = {flag for line in text.splitlines() if "qoder-work-exporter" in line for flag in _flags(line)}
    assert given <= flags | {"--version", "--help"}


def _flags(line: str) -> list[str]:
    command = re.search(r"(?<!-u )qoder-work-exporter(?![\w/.-])([^|`]*)", line)
    return re.findall(r"--[a-z][a-z.-]*[a-z]", command[1]) if command else []


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids_of(DOCUMENTS))
def test_metrics_named_in_documents_exist(path: Path) -> None:
    rules = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "prometheus" / "rules").glob("*.yml"))
    known = {name for spec in METRICS for name in (spec.name, *spec.series)}
    named = set(re.findall(r"(?<![:\w])qoder_(?:work|api|exporter)_\w+(?![\w*])", path.read_text(encoding="utf-8")))
    assert {name for name in named if name not in known and name not in rules and not name.endswith("_")} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids_of(DOCUMENTS))
def test_links_to_files_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def sections() -> dict[str, msgspec.Struct]:
    config = Config()
    return {"scrape": config.scrape, "history": config.history, "metrics": config.metrics}


def test_settings_named_in_the_readme_exist() -> None:
    default = {name: msgspec.structs.asdict(section) for name, section in sections().items()}
    for section, key in re.findall(r"`(scrape|history|metrics)\.(\w+)`", README):
        assert key in default[section], f"{section}.{key}"
    assert f"`max_staleness` ({default['scrape']['max_staleness']:g} s)" in README


def test_the_example_configuration_loads() -> None:
    assert load(ROOT / "config.example.yaml", {"QODER_PAT": DEFAULT_TOKEN}).accounts[0].name == "default"
