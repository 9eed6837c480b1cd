"""`inspect`, asking the API directly and asking a running exporter."""

import asyncio
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result
from rich.console import Console

from exporter.cli import main
from exporter.cli.inspect import command
from exporter.cli.inspect.bar import Bar
from exporter.cli.inspect.direct import API
from exporter.config import load
from exporter.simulator import DEFAULT_TOKEN, Options, Simulation, SimulatorThread, Status
from exporter.tracking.observation import Observation
from exporter.web.app import Unchanging, create_app
from exporter.web.selection import Selection
from tests.support.serving import Guarded, serving
from tests.support.settings import web_settings
from tests.web.fakes import FakeFleet, environment, fleet
from tests.web.reports import failed, item, snapshot_of, succeeded

HOSTILE = "\x1b]0;taken\x07\x1b[31m\x9b1m\u202ered\x7f"
STUCK = (
    item("work_01a21060b7c87fbaa14d938878ef6957", "starting", 1500),
    item("work_01a21060b7c87fbaa14d938878ef6958", "queued", 7),
    item("work_01a21060b7c87fbaa14d938878ef6959", "active", 90, heartbeat=5),
)


def inspect(*arguments: str, **variables: str) -> Result:
    """Run the command as a user does whose output goes to a file."""
    return CliRunner(env=variables).invoke(main, ["inspect", *arguments])


def shown(*arguments: str, **variables: str) -> str:
    """What the command prints."""
    result = inspect(*arguments, **variables)
    assert result.exit_code == 0, result.output
    return result.stdout


# -- the API itself ---------------------------------------------------------------------------------------------------


@pytest.fixture
def simulation() -> Simulation:
    simulation = Simulation(options=Options(secret="everywhere"))
    for name in ("gpu-workers", "ci-runners"):
        environment_id = simulation.create_environment(name)
        for state in ("queued", "active", "stopped"):
            simulation.create_work(environment_id, state=state, metadata={"job": f"{name} {state}"})
    return simulation


@pytest.fixture
def api(simulation: Simulation) -> Iterator[dict[str, str]]:
    """The variables by which the simulated API is asked."""
    with SimulatorThread(simulation) as server:
        yield {"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": server.base_url}


def works(simulation: Simulation, name: str) -> dict[str, str]:
    """The IDs of an environment's items by their states."""
    (found,) = (key for key, each in simulation.environments.items() if each.name == name)
    return {each.state: each.id for each in simulation.truth(found).items}


def test_the_api_is_asked_for_every_environment(api: dict[str, str]) -> None:
    text = shown(**api)
    assert re.search(r"gpu-workers +OK +1 +0 +1 +0 ", text)
    assert "2 of 2 environments shown; 2 ok" in text


def test_the_api_is_asked_for_one_environment_by_name_or_id(simulation: Simulation, api: dict[str, str]) -> None:
    (environment_id, *_) = (key for key, each in simulation.environments.items() if each.name == "gpu-workers")
    for target in ("gpu-workers", environment_id):
        found = json.loads(shown(target, "--json", **api))
        assert found["environment"]["id"] == environment_id
        assert sorted(each["state"] for each in found["live_items"]) == ["active", "queued"]


def told_of_a_long_reading(api: dict[str, str], tmp_path: Path) -> list[tuple[str, int, int]]:
    file = tmp_path / "slow.yaml"
    file.write_text("accounts: [{token_env: QODER_PAT, page_interval: 1s}]\n")
    told: list[tuple[str, int, int]] = []

    async def read() -> None:
        async with API(load(file, api), lambda *reached: told.append(reached)) as source:
            await source.fleet(Selection())

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("QODER_PAT", api["QODER_PAT"])
        asyncio.run(read())
    return told


def test_a_long_reading_tells_how_far_it_is(simulation: Simulation, api: dict[str, str], tmp_path: Path) -> None:
    (found,) = (key for key, each in simulation.environments.items() if each.name == "gpu-workers")
    for _ in range(150):
        simulation.create_work(found, state="stopped")
    told = told_of_a_long_reading(api, tmp_path)
    assert any(text.startswith("1 of 2 environments read; gpu-workers: ") for text, _, _ in told), told
    assert all(0 <= done <= total <= 2 for _, done, total in told)


def test_how_far_it_is_is_a_bar_that_vanishes() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    bar = Bar(terminal)
    bar.start()
    bar.tell(f"1 of 4 environments read; {HOSTILE}", 1, 4)
    bar.stop()
    assert isinstance(terminal.file, io.StringIO)
    written = terminal.file.getvalue()
    assert "━━━━━" in written
    assert "1 of 4 environments read" in written
    assert "taken" in written
    assert "\x1b]0;" not in written
    assert written.endswith("\x1b[2K")


def test_items_are_chosen_by_state_and_limit(api: dict[str, str]) -> None:
    text = shown("gpu-workers", "--state", "queued", **api)
    assert "1 of 1 queued live items shown" in text
    assert "1 live items; none shown" not in shown("gpu-workers", "--limit", "1", **api)
    assert "2 live items; none shown" in shown("gpu-workers", "--limit", "0", **api)


@pytest.mark.parametrize("state", ["queued", "active", "stopped"])
def test_one_item_is_shown_with_every_field(simulation: Simulation, api: dict[str, str], state: str) -> None:
    work_id = works(simulation, "gpu-workers")[state]
    found = json.loads(shown("gpu-workers", work_id, "--json", **api))
    assert (found["work_id"], found["state"], found["environment"]) == (work_id, state, "gpu-workers")
    assert found["metadata"] == {"job": f"gpu-workers {state}"}
    assert found["meaning"]
    assert (found["stopped_at"] is not None) == (state == "stopped")
    text = shown("gpu-workers", work_id, **api)
    assert f"job: gpu-workers {state}" in text
    assert re.search(r"created +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC +\d+ \w+ ago", text)
    assert f"https://qoder.com/cloud/sessions/{found['session_id']}\n" in text


def test_one_item_costs_one_request_where_the_environment_is_given_by_id(
    simulation: Simulation, api: dict[str, str]
) -> None:
    (environment_id, *_) = simulation.environments
    before = simulation.traffic.requests()
    shown(environment_id, works(simulation, "gpu-workers")["queued"], **api)
    assert simulation.traffic.requests() - before == 1


def test_the_secret_of_an_item_is_never_shown(api: dict[str, str], simulation: Simulation) -> None:
    for work_id in works(simulation, "gpu-workers").values():
        output = shown("gpu-workers", work_id, "--json", **api) + shown("gpu-workers", work_id, **api)
        assert simulation.secret(work_id) not in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gpu-worker",), "no environment with the ID or name `gpu-worker` is watched"),
        (("gpu-workers", "work_none"), "the API knows no item work_none in gpu-workers"),
        (("gpu-worker", "work_none"), "no environment with the ID or name gpu-worker is found"),
    ],
)
def test_what_does_not_exist_is_an_error(api: dict[str, str], arguments: tuple[str, ...], words: str) -> None:
    result = inspect(*arguments, **api)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_a_refused_token_is_an_error(api: dict[str, str]) -> None:
    result = inspect(**(api | {"QODER_PAT": "pt-wrong"}))
    assert result.exit_code == 1
    assert "401" in result.stderr
    assert "pt-wrong" not in result.output


def test_an_environment_that_cannot_be_read_says_why(api: dict[str, str], simulation: Simulation) -> None:
    (environment_id, *_) = simulation.environments
    simulation.faults.add(Status(status=403, environment_id=environment_id))
    text = shown("gpu-workers", **api)
    assert "the token may not read this environment" in text
    assert "API's request ID:" in " ".join(text.split())


def test_without_a_token_it_says_what_else_there_is() -> None:
    result = inspect(QODER_PAT="")
    assert result.exit_code == 1
    assert "or ask a running exporter with --url" in result.stderr


def test_the_exporters_checkpoint_is_left_alone(api: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"accounts: [{{token_env: QODER_PAT}}]\nhistory: {{checkpoint: {tmp_path / 'state'}}}\n")
    shown("gpu-workers", "--config.file", str(config), **api)
    assert list(tmp_path.iterdir()) == [config]


# -- a running exporter -----------------------------------------------------------------------------------------------


def running(*views: Any, live: dict[str, tuple[Observation, ...]] | None = None) -> Any:
    """The application of an exporter that watches these environments."""
    watched = FakeFleet(fleet(*views))
    watched.live = live or {}
    return create_app(Unchanging(watched, web_settings()))


@pytest.fixture
def exporter() -> Iterator[str]:
    """The address of an exporter that watches a healthy environment and one with a stuck item."""
    now = time.time()
    stuck = environment("gpu", snapshot=snapshot_of(STUCK), read_at=now, outcomes=(succeeded(now),))
    calm = environment("ci", snapshot=snapshot_of([]), read_at=now, outcomes=(succeeded(now),))
    with serving(running(stuck, calm, live={"env_gpu": STUCK})) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_running_exporter_is_asked_without_a_token(exporter: str) -> None:
    text = shown("--url", exporter)
    assert text.splitlines()[1].split() == ["gpu", "critical", "1", "1", "1", "0", "7", "s", "5", "s", "0", "s"]
    assert "critical 1 item has been starting for 25 min without a heartbeat" in text
    assert "2 of 2 environments shown; 1 critical, 1 ok" in text


def test_a_stuck_item_leads_with_what_to_do(exporter: str) -> None:
    text = shown("gpu", "--url", exporter)
    assert text.index(STUCK[0].id) < text.index(STUCK[2].id) < text.index(STUCK[1].id)
    assert f"sess_{STUCK[0].id}" in text
    assert "What usually to do next" in text
    assert "stop the item by force" in " ".join(text.split())
    assert "3 of 3 live items shown" in text


def test_an_item_of_a_running_exporter(exporter: str) -> None:
    text = shown("gpu", STUCK[0].id, "--url", exporter)
    assert "It has been starting for 25 min without a heartbeat (QoderWorkStuckStarting)." in text
    gone = inspect("gpu", "work_gone", "--url", exporter)
    assert (gone.exit_code, "it has stopped, or never was" in gone.stderr) == (1, True)


def test_a_width_of_80_columns_holds_everything(exporter: str) -> None:
    for arguments in ((), ("gpu",), ("gpu", STUCK[0].id)):
        for line in shown(*arguments, "--url", exporter).splitlines():
            assert len(line) <= 80 or line.startswith("https://"), line


def test_the_address_may_come_from_the_environment(exporter: str) -> None:
    assert "gpu" in shown(QODER_EXPORTER_URL=exporter)


@pytest.mark.parametrize(
    ("arguments", "status"), [((), 4), (("gpu",), 4), (("ci",), 0), (("gpu", STUCK[2].id), 0), (("none",), 1)]
)
def test_scripts_are_told_by_the_exit_code(exporter: str, arguments: tuple[str, ...], status: int) -> None:
    assert inspect(*arguments, "--url", exporter, "--exit-code").exit_code == status
    assert inspect(*arguments, "--url", exporter).exit_code == (1 if status == 1 else 0)


def test_what_is_unknown_is_no_success_for_scripts() -> None:
    with serving(running(environment("gpu", up=False, error="x", outcomes=(failed(time.time()),)))) as port:
        assert inspect("gpu", "--url", f"http://127.0.0.1:{port}", "--exit-code").exit_code == command.WARNING_STATUS


def test_it_can_be_watched(exporter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "sleep", sleep)
    text = shown("--url", exporter, "--watch", "--interval", "2")
    assert slept == [2.0, 2.0, 2.0]
    assert text.count("2 of 2 environments shown") == 3


def test_untrusted_text_cannot_steer_the_terminal() -> None:
    works = (item(f"work_{HOSTILE}", "starting", 1500),)
    view = environment(HOSTILE, snapshot=snapshot_of(works), read_at=time.time(), outcomes=(succeeded(time.time()),))
    with serving(running(view, live={f"env_{HOSTILE}": works})) as port:
        url = f"http://127.0.0.1:{port}"
        for arguments in ((), (HOSTILE,), (HOSTILE, works[0].id), ("--json",), (HOSTILE, "--json"), ("x" + HOSTILE,)):
            output = inspect(*arguments, "--url", url).output
            assert output
            assert [each for each in output if not each.isprintable() and each != "\n"] == []
        assert "[31m" in shown("--url", url)


def test_a_password_in_the_address_is_sent_and_never_shown() -> None:
    with serving(Guarded(running(environment("gpu")), "op", "hun ter/2")) as port:
        assert "gpu" in shown("--url", f"http://op:hun%20ter%2F2@127.0.0.1:{port}")
        for wrong in (f"http://op:hunter3@127.0.0.1:{port}", f"http://127.0.0.1:{port}"):
            result = inspect("--url", wrong)
            assert result.exit_code == 1
            assert f"the exporter at http://127.0.0.1:{port} asks for another user or password" in result.stderr
            assert "hunter3" not in result.output


def test_an_exporter_with_tls_is_asked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    pem = str(tmp_path / "server.pem")
    with serving(running(environment("gpu")), (pem, pem)) as port:
        url = f"https://127.0.0.1:{port}"
        assert "gpu" in shown("--url", url, "--ca-file", str(tmp_path / "ca.pem"))
        refused = inspect("--url", url)
        assert (refused.exit_code, "cannot be reached" in refused.stderr) == (1, True)
    missing = inspect("--url", url, "--ca-file", str(tmp_path / "none.pem"))
    assert "cannot read certificates" in missing.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "the exporter at http://127.0.0.1:1 cannot be reached"),
        ("localhost:10190", "--url is not the address of an exporter"),
        ("http://[::1", "--url is not the address of an exporter"),
        ("ftp://user:hunter2@host", "--url is not the address of an exporter"),
    ],
)
def test_an_address_that_leads_nowhere_is_an_error(url: str, words: str) -> None:
    result = inspect("--url", url)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "hunter2" not in result.output


def test_what_is_no_exporter_is_said_to_be_none() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>hello</html>"})

    with serving(app) as port:
        result = inspect("--url", f"http://127.0.0.1:{port}")
    assert "is not an exporter that this version knows" in result.stderr


def test_a_state_and_one_item_exclude_each_other() -> None:
    assert inspect("gpu", "work_1", "--state", "queued").exit_code == 2
