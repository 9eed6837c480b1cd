"""The commands, run as users run them: in a process of their own, over real HTTP, with real signals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter import __version__
from exporter.api.token import EnvironmentToken, FileToken
from exporter.cli import main, wiring
from exporter.config import Histograms, load
from exporter.metrics import table
from exporter.revision import revision
from exporter.simulator import STATES, Latency, Simulation, SimulatorThread
from exporter.web.listen import Address, listen

T = TypeVar("T")

TOKEN = "pt-must-never-be-shown"
PATIENCE = 60
"""Seconds after which a test gives up waiting for a process; far beyond what any takes."""


@pytest.fixture
def simulation() -> Simulation:
    """An account with two environments and work in every state."""
    simulation = Simulation(tokens=[TOKEN])
    for name, counts in {"gpu": (3, 1, 4, 1), "batch": (2, 0, 0, 0)}.items():
        environment_id = simulation.create_environment(name)
        simulation.create_history(environment_id, 250)
        for state, count in zip(STATES, counts, strict=False):
            for _ in range(count):
                simulation.create_work(environment_id, state=state)
    return simulation


@pytest.fixture
def api(simulation: Simulation) -> Iterator[str]:
    """The simulated API's address."""
    with SimulatorThread(simulation) as server:
        yield server.base_url


@pytest.fixture
def environ(api: str) -> dict[str, str]:
    """All that a start needs."""
    return {"QODER_PAT": TOKEN, "QODER_BASE_URL": api}


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables, and of this process's own only those that are not about the exporter."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QODER_")} | dict(variables)


def run(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env=environment(environ or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Running:
    """A command that runs until it is told to stop."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, pattern: str) -> str:
        """Wait until the output has a match, and return its first group."""
        return eventually(lambda: self._match(pattern))

    def _match(self, pattern: str) -> str | None:
        found = re.search(pattern, self.out + self.err)
        if found is None and self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}: {self.out}{self.err}")
        return found[1] if found else None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts commands; whatever still runs at the end of the test is killed."""
    processes: list[subprocess.Popen[bytes]] = []

    def start_command(*arguments: str, environ: Mapping[str, str] | None = None) -> Running:
        out, err = (tmp_path / f"{len(processes)}.{name}" for name in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "exporter", *arguments],
                    env=environment(environ or {}),
                    stdout=stdout,
                    stderr=stderr,
                )
            )
        return Running(processes[-1], out, err)

    yield start_command
    for process in processes:
        process.kill()
        process.wait()


def eventually(look: Callable[[], T | None]) -> T:
    """Wait until there is something, and return it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


@contextmanager
def taken_port() -> Iterator[str]:
    """An address that something listens on."""
    with listen(Address("127.0.0.1", 0)) as sock:
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=PATIENCE)


def samples(text: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def items(text: str) -> dict[tuple[str, str], float]:
    """The items by environment ID and state."""
    return {
        (sample.labels["environment_id"], sample.labels["state"]): sample.value
        for sample in samples(text)
        if sample.name == "qoder_work_items"
    }


def true_items(simulation: Simulation) -> dict[tuple[str, str], float]:
    return {
        (environment_id, state): count
        for environment_id in simulation.environments
        for state, count in simulation.truth(environment_id).counts.items()
    }


def serving(started: Running) -> str:
    """The address at which a started exporter serves."""
    port = started.wait_for(r"listening.*127\.0\.0\.1:(\d+)")
    return f"http://127.0.0.1:{port}"


class TestHelp:
    def test_the_version_is_told(self) -> None:
        done = run("--version")
        assert (done.returncode, done.stdout) == (0, f"qoder-work-exporter {__version__} (revision {revision()})\n")

    @pytest.mark.parametrize(
        "lesson",
        [
            "account: QODER_PAT=pt-... qoder-work-exporter Examples:",
            "qoder-work-exporter demo ",
            "QODER_BASE_URL",
            "QODER_EXPORTER_WEB_LISTEN_ADDRESS",
            "default: :10190",
            "simulate Run the simulated work API",
        ],
    )
    def test_the_help_teaches(self, lesson: str) -> None:
        assert lesson in " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())

    @pytest.mark.parametrize("command", ["check", "demo", "once", "simulate"])
    def test_each_command_has_help(self, command: str) -> None:
        done = CliRunner().invoke(main, [command, "--help"])
        assert done.exit_code == 0
        assert done.stdout.startswith(f"Usage: qoder-work-exporter {command} ")

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (["--no.such.flag"], "No such option"),
            (["serve"], "No such command 'serve'"),
            (["--web.listen-address=10190"], "`10190` is not an address; write host:port"),
            (["demo", "--web.listen-address=localhost"], "`localhost` is not an address; write host:port"),
            (["--web.telemetry-path=metrics"], "`metrics` does not begin with /"),
            (["--log.level=loud"], "'loud' is not one of 'debug', 'info', 'warn', 'error'"),
            (["--config.check", "once"], "--config.check takes no command"),
        ],
    )
    def test_a_wrong_use_is_explained_with_status_2(self, arguments: list[str], error: str) -> None:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2
        assert error in done.stderr


class TestCheck:
    def test_a_good_configuration_is_one_line_and_status_0(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(
            "accounts:\n"
            "  - {name: first, token_env: QODER_PAT}\n"
            "  - {name: second, token_env: QODER_PAT, environments: [id: env_a, id: env_b]}\n"
        )
        done = run("check", f"--config.file={file}", environ={"QODER_PAT": TOKEN})
        assert (done.returncode, done.stderr) == (0, "")
        done.stdout, _, note = done.stdout.partition("note: ")
        assert note == (
            "the accounts first and second use the same API, and second lists environments that the other may "
            "discover; an environment that both see is read through first\n"
        )
        assert done.stdout == f"{file}: OK; account first: discovered every 5m; account second: 2 configured\n"

    def test_without_a_file_the_environment_is_checked(self) -> None:
        done = run("check", environ={"QODER_PAT": TOKEN})
        assert done.stdout == "no configuration file: OK; account default: discovered every 5m\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["check", "--config.file=FILE"],
            ["--config.file=FILE", "check"],
            ["--config.check", "--config.file", "FILE"],
            ["--config.file=nowhere", "check", "--config.file=FILE"],
            ["once", "--config.file=FILE"],
            ["--config.file=FILE"],
        ],
    )
    def test_each_error_is_a_line_on_standard_error_and_status_1(self, tmp_path: Path, arguments: list[str]) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(f"scrap: {{}}\naccounts:\n  - token_env: {TOKEN}\n    token: {TOKEN}\n    max_concurrency: 0\n")
        done = run(*(argument.replace("FILE", str(file)) for argument in arguments))
        assert (done.returncode, done.stdout) == (1, "")
        errors = [line for line in done.stderr.splitlines() if not line.startswith("ts=")]
        assert errors == [
            f"{file}:1: scrap: unknown key; did you mean `scrape`?",
            f"{file}:4: accounts[0].token: unknown key; did you mean `token_env`?",
            f"{file}:5: accounts[0].max_concurrency: must be at least 1",
        ]

    def test_a_flag_may_be_an_environment_variable_and_a_flag_wins(self, tmp_path: Path) -> None:
        good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
        good.write_text("{}")
        bad.write_text("[]")
        variables = {"QODER_PAT": TOKEN, "QODER_EXPORTER_CONFIG_FILE": str(bad)}
        assert run("check", environ=variables).returncode == 1
        assert run("check", f"--config.file={good}", environ=variables).returncode == 0
        assert run(f"--config.file={good}", "check", environ=variables).returncode == 0

    @pytest.mark.parametrize("encoding", ["ascii", "koi8-r"])
    def test_names_that_the_terminal_cannot_show_are_no_failure(self, tmp_path: Path, encoding: str) -> None:
        file = tmp_path / os.fsdecode("größe-\N{PILE OF POO}-".encode() + b"\xff.yaml")
        file.write_text("accounts: [{name: größe, token_env: QODER_PAT}]", encoding="utf-8")
        variables = {"QODER_PAT": TOKEN, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
        done = run("check", f"--config.file={file}", environ=variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert "discovered every 5m" in done.stdout
        file.write_text("accounts: [{name: größe, größe: 1}]", encoding="utf-8")
        done = run("check", f"--config.file={file}", environ=variables)
        assert done.returncode == 1
        assert "unknown key" in done.stderr
        assert "Traceback" not in done.stderr

    def test_without_a_token_a_start_says_what_to_do(self) -> None:
        done = run()
        assert done.returncode == 1
        assert done.stderr == (
            "the environment variable QODER_PAT is not set; set it to the token, "
            "or name a configuration file with --config.file\n"
        )


class TestOnce:
    def test_it_prints_the_true_values(self, environ: dict[str, str], simulation: Simulation) -> None:
        done = run("once", environ=environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert items(done.stdout) == true_items(simulation)
        assert {sample.value for sample in samples(done.stdout) if sample.name == "qoder_work_up"} == {1.0}

    def test_one_environment_that_fails_is_named_and_the_others_are_printed(
        self, environ: dict[str, str], simulation: Simulation, tmp_path: Path
    ) -> None:
        good = next(iter(simulation.environments))
        file = tmp_path / "config.yaml"
        file.write_text(f"accounts: [{{token_env: QODER_PAT, environments: [id: env_unknown, id: {good}]}}]")
        done = run("once", f"--config.file={file}", environ=environ)
        assert done.returncode == 1
        assert items(done.stdout) == {key: value for key, value in true_items(simulation).items() if key[0] == good}
        (error,) = done.stderr.splitlines()
        assert error.startswith("environment env_unknown (env_unknown): ")
        assert "404" in error

    def test_a_refused_token_is_named_and_not_shown(self, environ: dict[str, str], simulation: Simulation) -> None:
        simulation.tokens.revoke(TOKEN)
        done = run("once", environ=environ)
        assert done.returncode == 1
        (error,) = done.stderr.splitlines()
        assert error.startswith("account default: no environment could be discovered: environments: HTTP 401")
        assert "qoder_exporter_discovery_up" in done.stdout
        assert "must-never-be-shown" not in done.stdout + done.stderr

    def test_an_account_without_environments_is_a_failure(self, api: str, simulation: Simulation) -> None:
        for environment_id in list(simulation.environments):
            simulation.delete_environment(environment_id)
        done = run("once", environ={"QODER_PAT": TOKEN, "QODER_BASE_URL": api})
        assert done.returncode == 1
        assert done.stderr == ("account default: no environment is self-hosted and included by the configuration\n")

    def test_what_may_not_be_meant_is_told_and_no_failure(
        self, environ: dict[str, str], simulation: Simulation, tmp_path: Path
    ) -> None:
        shared = next(iter(simulation.environments))
        file = tmp_path / "config.yaml"
        file.write_text(
            "accounts:\n"
            f"  - {{name: first, token_env: QODER_PAT, environments: [{{id: {shared}, name: mine}}]}}\n"
            "  - {name: second, token_env: QODER_PAT, discovery: {include: [gpu, batch, typo]}}\n"
        )
        done = run("once", f"--config.file={file}", environ=environ)
        assert done.returncode == 0
        assert done.stderr.splitlines() == [
            "account second: `typo` of discovery.include matches no environment",
            f"account second: environment gpu ({shared}) is read through the account first, which sees it too",
        ]
        assert items(done.stdout) == true_items(simulation)


class TestServe:
    ANYWHERE = "--web.listen-address=127.0.0.1:0"

    def test_it_serves_until_sigterm(
        self, start: Callable[..., Running], environ: dict[str, str], simulation: Simulation, api: str
    ) -> None:
        started = start(self.ANYWHERE, environ=environ)
        address = serving(started)
        eventually(lambda: get(f"{address}/-/ready").is_success or None)
        true = true_items(simulation)
        eventually(lambda: items(get(f"{address}/metrics").text) == true or None)
        assert "gpu" in get(address).text
        assert started.stop() == 0
        assert f"level=info msg=starting version={__version__}" in started.err
        assert f"msg=account name=default base_url={api} environments=" in started.err
        assert started.out == ""
        assert "Traceback" not in started.err

    def test_it_serves_with_what_the_flags_say(self, start: Callable[..., Running], environ: dict[str, str]) -> None:
        variables = environ | {"QODER_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:0 localhost:0"}
        started = start("--web.telemetry-path=/work", "--log.format=json", environ=variables)
        address = serving(started)
        assert get(f"{address}/work").is_success
        assert started.stop(signal.SIGINT) == 0
        events = [json.loads(line) for line in started.err.splitlines()]
        assert [event["path"] for event in events if event["msg"] == "listening"] == ["/work", "/work"]

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_scrape_under_way_is_answered_when_it_stops(
        self,
        start: Callable[..., Running],
        environ: dict[str, str],
        simulation: Simulation,
        tmp_path: Path,
        number: int,
    ) -> None:
        file = tmp_path / "config.yaml"
        file.write_text("scrape: {min_interval: 0}")
        started = start(self.ANYWHERE, f"--config.file={file}", environ=environ)
        address = serving(started)
        eventually(lambda: items(get(f"{address}/metrics").text) == true_items(simulation) or None)
        simulation.faults.add(Latency(seconds=10 * PATIENCE))
        simulation.traffic.reset()
        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(get, f"{address}/metrics", X_Prometheus_Scrape_Timeout_Seconds=str(5 * PATIENCE))
            eventually(lambda: simulation.traffic.peak_in_flight.get("list"))
            assert not waiting.done()
            assert started.stop(number) == 0
            answer = waiting.result()
        assert items(answer.text) == true_items(simulation)
        assert "Traceback" not in started.err

    def test_it_stops_while_it_looks_for_environments(
        self, start: Callable[..., Running], environ: dict[str, str], simulation: Simulation
    ) -> None:
        simulation.faults.add(Latency(seconds=10 * PATIENCE))
        started = start(self.ANYWHERE, environ=environ)
        address = serving(started)
        eventually(lambda: get(f"{address}/-/ready").status_code == 503 or None)
        assert started.stop() == 0
        assert "Traceback" not in started.err

    def test_a_port_in_use_is_one_line(self, environ: dict[str, str]) -> None:
        with taken_port() as address:
            done = run(f"--web.listen-address={address}", "--log.level=error", environ=environ)
        assert done.returncode == 1
        assert done.stderr == (
            f"cannot listen on {address}: the port is already in use; stop what listens there, or choose another port\n"
        )

    def test_the_token_is_nowhere(
        self, start: Callable[..., Running], environ: dict[str, str], simulation: Simulation
    ) -> None:
        started = start(self.ANYWHERE, "--log.level=debug", environ=environ)
        address = serving(started)
        eventually(lambda: get(f"{address}/-/ready").is_success or None)
        pages = [get(address + path).text for path in ("/metrics", "/", "/nowhere")]
        simulation.tokens.revoke(TOKEN)
        eventually(lambda: 'reason="auth"} 1' in get(f"{address}/metrics").text or None)
        pages += [get(address + path, Accept="application/openmetrics-text").text for path in ("/metrics", "/")]
        assert started.stop() == 0
        assert "GET /metrics" in started.err
        assert "must-never-be-shown" not in "".join((*pages, started.out, started.err))


class TestReload:
    """The configuration is loaded again by `POST /-/reload` and by SIGHUP."""

    @pytest.fixture
    def file(self, tmp_path: Path, api: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(f"accounts: [{{base_url: '{api}', token_env: QODER_PAT}}]\nscrape: {{min_interval: 0s}}\n")
        return file

    @pytest.fixture
    def base(self, start: Callable[..., Running], file: Path) -> Iterator[tuple[str, Running]]:
        arguments = ["--config.file", str(file), "--web.listen-address", "127.0.0.1:0"]
        started = start(*arguments, environ={"QODER_PAT": TOKEN})
        address = serving(started)
        eventually(lambda: get(f"{address}/-/ready").status_code == 200 or None)
        yield address, started
        assert started.process.poll() is None
        assert started.stop() == 0

    def value(self, base: str, name: str) -> float:
        return sum(sample.value for sample in samples(get(f"{base}/metrics").text) if sample.name == name)

    def test_a_new_configuration_takes_over_what_is_known(
        self, base: tuple[str, Running], file: Path, simulation: Simulation
    ) -> None:
        address, _ = base
        assert items(get(f"{address}/metrics").text) == true_items(simulation)
        gpu = next(iter(simulation.environments))
        simulation.create_work(gpu)
        assert self.value(address, "qoder_work_created_total") == 1
        file.write_text(file.read_text().replace("QODER_PAT}", "QODER_PAT, discovery: {include: [gpu]}}"))
        simulation.traffic.reset()
        assert httpx.post(f"{address}/-/reload", timeout=PATIENCE).text == "Loaded.\n"
        shown = get(f"{address}/metrics").text
        assert items(shown) == {key: count for key, count in true_items(simulation).items() if key[0] == gpu}
        assert self.value(address, "qoder_work_created_total") == 1
        assert simulation.traffic.requests("list") <= 6, "the list is not read again as a whole"

    def test_a_mistake_is_named_and_the_old_configuration_stays(
        self, base: tuple[str, Running], file: Path, simulation: Simulation
    ) -> None:
        address, _ = base
        loaded_at = self.value(address, "qoder_exporter_config_last_reload_success_timestamp_seconds")
        good = file.read_text()
        file.write_text(good.replace("min_interval", "min_intervall"))
        answer = httpx.post(f"{address}/-/reload", timeout=PATIENCE)
        assert answer.status_code == 500
        assert "min_intervall" in answer.text
        assert self.value(address, "qoder_exporter_config_last_reload_successful") == 0
        assert self.value(address, "qoder_exporter_config_last_reload_success_timestamp_seconds") == loaded_at
        assert items(get(f"{address}/metrics").text) == true_items(simulation)
        file.write_text(good)
        assert httpx.post(f"{address}/-/reload", timeout=PATIENCE).status_code == 200
        assert self.value(address, "qoder_exporter_config_last_reload_successful") == 1
        assert self.value(address, "qoder_exporter_config_last_reload_success_timestamp_seconds") > loaded_at

    def test_sighup_loads_it_too(self, base: tuple[str, Running], file: Path) -> None:
        address, started = base
        file.write_text(file.read_text().replace("0s", "1s"))
        started.process.send_signal(signal.SIGHUP)
        started.wait_for("(configuration loaded)")
        assert self.value(address, "qoder_exporter_config_last_reload_successful") == 1

    def test_a_page_cannot_be_made_to_reload_by_a_link(self, base: tuple[str, Running]) -> None:
        assert get(f"{base[0]}/-/reload").status_code == 405

    def test_without_a_configuration_there_is_nothing_to_load(self, start: Callable[..., Running]) -> None:
        started = start("demo", "--web.listen-address", "127.0.0.1:0")
        address = started.wait_for(r"metrics +(http://[^/]+)/metrics")
        answer = httpx.post(f"{address}/-/reload", timeout=PATIENCE)
        assert (answer.status_code, answer.text) == (500, "there is no configuration that could be loaded again\n")


class TestSimulate:
    def test_the_address_and_the_token_it_prints_are_good_for_once(self, start: Callable[..., Running]) -> None:
        started = start("simulate", "--simulator.listen-address=127.0.0.1:0", "--scenario=healthy", "--seed=7")
        api = started.wait_for(r"base URL +(http://127\.0\.0\.1:\d+/api/v1/cloud)\n")
        token = started.wait_for(r"token +(\S+)\n")
        done = run("once", environ={"QODER_PAT": token, "QODER_BASE_URL": api})
        assert (done.returncode, done.stderr) == (0, "")
        assert sum(value for (_, state), value in items(done.stdout).items() if state == "stopped") > 1000
        assert started.stop() == 0
        assert started.err == ""

    def test_a_port_in_use_is_one_line(self) -> None:
        with taken_port() as address:
            done = run("simulate", f"--simulator.listen-address={address}")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"cannot listen on {address}: the port is already in use")
        assert len(done.stderr.splitlines()) == 1


class TestDemo:
    def test_its_metrics_show_active_items(self, start: Callable[..., Running]) -> None:
        started = start("demo", "--web.listen-address=127.0.0.1:0")
        metrics = started.wait_for(r"metrics +(http://127\.0\.0\.1:\d+/metrics)\n")

        def active() -> float | None:
            counts = items(get(metrics).text)
            return sum(value for (_, state), value in counts.items() if state == "active") or None

        assert eventually(active) > 0
        assert f"curl -s {metrics} | grep ^qoder_work_items" in started.out
        assert started.stop(signal.SIGINT) == 0
        assert "Traceback" not in started.err

    @pytest.mark.parametrize("flag", ["--web.listen-address", "--simulator.listen-address"])
    def test_a_port_in_use_is_one_line(self, flag: str) -> None:
        with taken_port() as address:
            done = run("demo", "--web.listen-address=127.0.0.1:0", f"{flag}={address}")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"cannot listen on {address}: the port is already in use; stop what listens there, or choose another port\n"
        )


class TestWiring:
    """Every setting reaches the room it is for."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        (tmp_path / "token").write_text(TOKEN)
        file = tmp_path / "config.yaml"
        file.write_text("""
accounts:
  - name: discovered
    base_url: https://api.example.com/cloud
    token_file: token
    discovery: {refresh_interval: 1m, include: [gpu-.*], exclude: [gpu-test]}
    requests_per_second: 7
    page_interval: 200ms
    max_concurrency: 3
    request_timeout: 4s
  - name: configured
    token_env: QODER_PAT
    environments: [{id: env_a, name: A}, {id: env_b}]
scrape: {timeout: 20s, timeout_offset: 1s, min_interval: 2s, max_staleness: 3m, queue_stats: false}
history: {checkpoint: progress.json, resync_interval: 6h, lookback: 7d}
metrics: {metadata_labels: [job, team], max_label_values: 9, histograms: {queue_age: [5m, 1m], startup: [], run: false}}
probe: {allow_any: true}
links: {session: 'https://example.com/{session_id}'}
""")
        return file

    def test_of_the_accounts(self, file: Path) -> None:
        discovered, configured = load(file, {"QODER_PAT": TOKEN}).accounts
        settings = wiring.account_settings(discovered)
        client = settings.client
        assert (settings.name, settings.page_interval, settings.environments) == ("discovered", 0.2, None)
        assert (client.base_url, client.requests_per_second) == ("https://api.example.com/cloud", 7)
        assert (client.max_concurrency, client.request_timeout) == (3, 4)
        assert isinstance(client.token, FileToken)
        assert client.token.read() == TOKEN
        assert settings.discovery.refresh_interval == 60
        assert [pattern.text for pattern in settings.discovery.include] == ["gpu-.*"]
        assert [pattern.text for pattern in settings.discovery.exclude] == ["gpu-test"]
        settings = wiring.account_settings(configured)
        assert settings.client.token == EnvironmentToken("QODER_PAT")
        assert settings.environments is not None
        assert [(found.id, found.name) for found in settings.environments] == [("env_a", "A"), ("env_b", None)]

    def test_of_the_rest(self, file: Path) -> None:
        config = load(file, {"QODER_PAT": TOKEN})
        tracking = wiring.tracking_settings(config)
        assert (tracking.min_interval, tracking.max_staleness, tracking.queue_stats) == (2, 180, False)
        assert (tracking.checkpoint, tracking.resync_interval) == (file.parent / "progress.json", 21600)
        assert (tracking.lookback, tracking.metadata_keys, tracking.max_label_values) == (604800, ("job", "team"), 9)
        web = wiring.web_settings(config, "/work")
        assert (web.telemetry_path, web.timeout, web.timeout_offset) == ("/work", 20, 1)
        assert (web.probe_any, web.session_link) == (True, "https://example.com/{session_id}")
        assert web.histograms == {
            table.QUEUE_AGE.name: (60.0, 300.0),
            table.STARTUP.name: (),
            table.RUN.name: None,
        }

    def test_every_histogram_of_an_environment_can_be_chosen(self) -> None:
        off = Histograms(**dict.fromkeys(Histograms.__struct_fields__, False))
        named = {
            spec.name for spec in table.METRICS if spec.type.endswith("histogram") and "environment_id" in spec.labels
        }
        assert wiring.histograms(off).keys() == named
        assert wiring.histograms(Histograms()) == {}
