"""All environments are refreshed together, each by itself, and a scraper is answered in time whatever happens."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.simulator import Latency, Status
from exporter.tracking import keeper
from exporter.tracking.checkpoint import Checkpoint
from exporter.tracking.discovery import RETRY_INTERVAL
from exporter.tracking.ledger import Ledger
from exporter.tracking.patterns import Pattern
from exporter.tracking.results import INTERNAL
from exporter.tracking.settings import EnvironmentSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.traversal import Traversal
from exporter.tracking.view import CheckpointView, EnvironmentIdentity
from tests.support.settings import account_settings, discovery_settings, tracking_settings
from tests.tracking.conftest import Begin
from tests.tracking.fleets import Account, by_name, counts, shown


@pytest.fixture
def account(begin: Begin) -> Account:
    """An account with two environments, of which everything has been read once."""
    made = begin()
    made.environment("a", "queued", "active")
    made.environment("b", "stopped", "stopped", "queued")
    made.start()
    made.collect()
    made.wait(6)
    return made


def test_a_refresh_that_outlasts_its_data_is_logged_once_with_what_helps(begin: Begin) -> None:
    account = begin(tracking=tracking_settings(max_staleness=2.0))
    account.environment("a", "active")
    account.start()
    account.collect()
    account.simulation.faults.add(Latency(seconds=3, endpoint="list"))
    with capture_logs() as logs:
        for _ in range(3):
            account.wait(6)
            account.collect()
    (line,) = (entry for entry in logs if entry["event"].startswith("a refresh takes longer than its data"))
    assert line["event"].endswith(": raise scrape.max_staleness or requests_per_second")
    assert (line["max_staleness"], line["live"], line["seconds"] >= 3) == (2.0, 1, True)


def test_readiness_does_not_follow_the_api(account: Account) -> None:
    account.simulation.faults.add(Status(status=503))
    account.wait(120)
    view = account.collect()
    assert [each.up for each in view.environments] == [False, False]
    assert account.fleet.ready


def leave(account: Account, environment_id: str) -> None:
    """Archive an environment in which nothing is live any more."""
    for item in account.simulation.truth(environment_id).live:
        account.simulation.force(environment_id, item.id, "stopped")
    account.simulation.archive_environment(environment_id)


# -- together ---------------------------------------------------------------------------------------------------------


def test_every_environment_is_shown(account: Account) -> None:
    view = account.collect()
    assert shown(view) == {"a": {"queued": 1, "active": 1}, "b": {"queued": 1, "stopped": 2}}
    assert [each.up for each in view.environments] == [True, True]
    assert (view.accounts[0].name, view.accounts[0].environments, view.accounts[0].discovery_up) == ("default", 2, True)


def test_environments_are_refreshed_at_once(account: Account) -> None:
    account.simulation.faults.add(Latency(seconds=1))
    start = account.virtual.now
    account.transport.peak = 0
    account.collect()
    assert account.transport.peak == len(account.transport.requests) == 4
    assert account.virtual.now - start == pytest.approx(1)


def test_collections_at_the_same_time_join_one_refresh(account: Account) -> None:
    account.simulation.faults.add(Latency(seconds=1))

    async def many() -> list[Any]:
        account.transport.requests.clear()
        first = asyncio.create_task(account.fleet.collect(time.monotonic() + 10))
        await asyncio.sleep(0.5)
        return await asyncio.gather(first, *(account.fleet.collect(time.monotonic() + 10) for _ in range(5)))

    views = account.run(many())
    assert len(account.transport.requests) == 4
    assert all(view.environments == views[0].environments for view in views)


def test_young_data_are_shown_again_without_asking(account: Account) -> None:
    first = account.collect()
    account.wait(4.9)
    again = account.collect()
    assert not account.transport.requests
    assert again.environments == first.environments
    account.wait(0.2)
    account.collect()
    assert len(account.transport.requests) == 4


def test_data_that_are_too_old_are_withheld(account: Account) -> None:
    account.collect()
    account.simulation.faults.add(Status(status=403))
    account.wait(59)
    assert shown(account.collect())["a"] is not None
    account.wait(2)
    view = account.collect()
    assert shown(view) == {"a": None, "b": None}
    assert [each.up for each in view.environments] == [False, False]


def test_one_environment_can_be_refreshed_by_itself(account: Account) -> None:
    first, second = account.fleet.view().environments
    account.collect(only=second.environment)
    read_at = {each.environment.name: each.read_at for each in account.fleet.view().environments}
    assert read_at["a"] == first.read_at
    assert read_at["b"] != second.read_at


def test_the_live_items_of_one_environment_are_shown(account: Account) -> None:
    identities = [each.environment for each in account.fleet.view().environments]
    assert [[item.state for item in account.fleet.items(each)] for each in identities] == [
        ["queued", "active"],
        ["queued"],
    ]
    assert account.fleet.items(EnvironmentIdentity("env_other", "a", "default")) == ()


# -- deadlines --------------------------------------------------------------------------------------------------------


def test_at_the_deadline_the_newest_data_are_shown_and_the_refresh_serves_the_next_collection(account: Account) -> None:
    account.collect()
    account.simulation.create_work(account.simulation.environments.copy().popitem()[0], state="active")
    account.simulation.faults.add(Latency(seconds=4))
    account.wait(6)
    start = account.virtual.now
    old = account.collect(1.5)
    assert account.virtual.now - start == pytest.approx(1.5)
    assert shown(old)["b"] == {"queued": 1, "stopped": 2}
    account.wait(2.6)
    new = account.collect(0.0)
    assert shown(new)["b"] == {"queued": 1, "active": 1, "stopped": 2}
    assert not account.transport.requests


def test_without_any_data_a_collection_ends_at_its_deadline_too(begin: Begin) -> None:
    account = begin()
    account.environment("a", "queued")
    account.start()
    account.simulation.faults.add(Latency(seconds=100))
    start = account.virtual.now
    view = account.collect(2)
    assert account.virtual.now - start == pytest.approx(2)
    assert shown(view) == {"a": None}
    assert not view.environments[0].up


def test_a_deadline_in_the_past_shows_what_there_is(account: Account) -> None:
    start = account.virtual.now
    assert shown(account.collect(-5))["a"] == {"queued": 1, "active": 1}
    assert account.virtual.now == start


def test_an_interruption_ends_every_collection_at_once(account: Account) -> None:
    account.simulation.faults.add(Latency(seconds=5))

    async def interrupted() -> None:
        collecting = asyncio.create_task(account.fleet.collect(time.monotonic() + 10))
        await asyncio.sleep(1)
        account.fleet.interrupt()
        await collecting

    start = account.virtual.now
    account.run(interrupted())
    account.collect()
    assert account.virtual.now - start == pytest.approx(1)


def test_the_first_collection_waits_for_the_first_look_up(begin: Begin) -> None:
    account = begin()
    account.environment("a", "queued")
    account.simulation.faults.add(Latency(seconds=2, endpoint="environments"))

    async def first() -> Any:
        starting = asyncio.create_task(account.fleet.start())
        await asyncio.sleep(0)
        assert not account.fleet.ready
        view = await account.fleet.collect(time.monotonic() + 10)
        await starting
        return view

    assert shown(account.run(first())) == {"a": {"queued": 1}}
    assert account.fleet.ready


def test_a_start_begins_to_read_at_once(begin: Begin) -> None:
    account = begin()
    account.environment("a", "queued")
    account.start()
    account.wait(0.1)
    assert shown(account.fleet.view()) == {"a": {"queued": 1}}


def test_complete_waits_for_everything(begin: Begin) -> None:
    account = begin(tracking_settings(max_staleness=1.0), page_interval=1.0)
    account.environment("a", *["stopped"] * 950)
    account.start()
    view = account.run(account.fleet.complete())
    assert shown(view) == {"a": {"stopped": 950}}


def test_complete_gives_up_on_what_fails(begin: Begin) -> None:
    account = begin()
    account.environment("a", "queued")
    account.environment("b", "queued", forbidden=True)
    account.settings = account_settings(
        "default",
        account.reach(),
        environments=tuple(EnvironmentSettings(each) for each in account.simulation.environments),
    )
    account.fleet = account.new_fleet()
    account.start()
    view = account.run(account.fleet.complete())
    assert sorted(each.up for each in view.environments) == [False, True]


# -- one failing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 400, 503])
def test_the_failure_of_one_environment_leaves_the_others_alone(account: Account, status: int) -> None:
    broken = next(iter(account.simulation.environments))
    for environment_id in account.simulation.environments:
        account.simulation.create_work(environment_id, state="starting")
    account.simulation.faults.add(Status(status=status, environment_id=broken))
    view = account.collect(30)
    assert not by_name(view, "a").up
    assert counts(by_name(view, "a")) == {"queued": 1, "active": 1}
    assert sum(by_name(view, "a").failures.values()) == 1
    assert by_name(view, "b").up
    assert counts(by_name(view, "b")) == {"queued": 1, "starting": 1, "stopped": 2}
    assert sum(by_name(view, "b").failures.values()) == 0


def test_a_defect_in_one_environment_is_told_and_leaves_the_others_alone(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = next(iter(account.simulation.environments))
    read = Tracker._read_queue

    async def fail(self: Tracker, *args: Any) -> Any:
        if self.environment.id == broken:
            raise ZeroDivisionError("nobody thought of this")
        return await read(self, *args)

    monkeypatch.setattr(Tracker, "_read_queue", fail)
    with capture_logs() as logs:
        view = account.collect()
    assert not by_name(view, "a").up
    assert by_name(view, "a").failures[INTERNAL] == 1
    assert by_name(view, "a").error == "ZeroDivisionError: nobody thought of this"
    assert counts(by_name(view, "a")) == {"queued": 1, "active": 1}
    assert by_name(view, "b").up
    (entry,) = (entry for entry in logs if entry["event"].startswith("refresh failed"))
    assert entry["exc_info"] is True
    assert entry["log_level"] == "error"


def test_a_defect_in_the_background_is_told(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Traversal) -> bool:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(Traversal, "step", fail)
    account.wait(86_400)
    with capture_logs() as logs:
        view = account.collect()
    assert all(each.up for each in view.environments)
    told = [entry for entry in logs if "defect" in entry["event"]]
    assert len(told) == 2
    assert all(isinstance(entry["exc_info"], ZeroDivisionError) for entry in told)


def test_a_failure_names_the_environment_by_name_and_id(account: Account) -> None:
    account.simulation.faults.add(Status(status=403, count=4))
    with capture_logs() as logs:
        view = account.collect()
    failed = {(entry["environment"], entry["environment_id"]) for entry in logs if entry["event"] == "refresh failed"}
    assert failed
    assert failed <= {(each.environment.name, each.environment.id) for each in view.environments}


def test_after_a_failure_data_are_read_again(account: Account) -> None:
    account.simulation.faults.add(Status(status=403, count=4))
    assert not any(each.up for each in account.collect().environments)
    account.wait(6)
    view = account.collect()
    assert all(each.up for each in view.environments)
    assert all(each.error is None for each in view.environments)
    assert [each.failures["permission"] for each in view.environments] == [1, 1]


# -- what is watched --------------------------------------------------------------------------------------------------


def test_environments_come_and_go_and_are_renamed(account: Account) -> None:
    a, b = account.simulation.environments
    account.environment("c", "active")
    leave(account, a)
    account.simulation.rename_environment(b, "z")
    account.wait(301 + RETRY_INTERVAL)
    account.collect()
    account.wait(6)
    view = account.collect()
    assert shown(view) == {"c": {"active": 1}, "z": {"queued": 1, "stopped": 2}}
    assert view.accounts[0].environments == 2


def test_a_renamed_environment_keeps_what_is_known(account: Account) -> None:
    _, b = account.simulation.environments
    account.simulation.create_work(b)
    account.collect()
    account.simulation.rename_environment(b, "z")
    account.wait(301)
    lifecycle = by_name(account.collect(), "z").lifecycle
    assert lifecycle is not None
    assert lifecycle.created == 1
    assert "work" in account.endpoints
    assert len(account.transport.requests) == 4


def test_a_failing_look_up_leaves_what_was_known(account: Account) -> None:
    account.simulation.faults.add(Status(status=403, endpoint="environments"))
    account.environment("c", "active")
    account.wait(301)
    view = account.collect()
    assert shown(view) == {"a": {"queued": 1, "active": 1}, "b": {"queued": 1, "stopped": 2}}
    assert view.accounts[0].discovery_up is False
    assert "403" in (view.accounts[0].discovery_error or "")
    failure = view.accounts[0].discovery_failure
    assert failure is not None
    assert (failure.reason, failure.status, failure.request_id is not None) == ("permission", 403, True)
    account.simulation.faults.clear()
    account.wait(16)
    view = account.collect()
    assert set(shown(view)) == {"a", "b", "c"}
    assert view.accounts[0].discovery_up is True
    assert view.accounts[0].discovery_error is None
    assert view.accounts[0].discovery_failure is None


def test_a_refresh_of_an_environment_that_goes_is_no_longer_waited_for(account: Account) -> None:
    a, _ = account.simulation.environments
    account.run(account.fleet.reconfigure([], account.tracking))
    account.simulation.faults.add(Latency(seconds=400, environment_id=a))
    account.run(account.fleet.reconfigure([account.settings], account.tracking))
    account.wait(1)
    account.collect(1)
    only_b = replace(account.settings, discovery=discovery_settings(exclude=(Pattern("a"),)))
    account.run(account.fleet.reconfigure([only_b], account.tracking))
    start = account.virtual.now
    assert set(shown(account.collect(100))) == {"b"}
    assert account.virtual.now == start


def test_two_accounts_are_shown_in_their_order(begin: Begin) -> None:
    account = begin()
    first = account.environment("z", "queued")
    second = account.environment("a", "active")
    account.fleet = account.new_fleet(
        account_settings("one", account.reach(), environments=(EnvironmentSettings(first, "z"),)),
        account_settings("two", account.reach("wrong"), environments=(EnvironmentSettings(second, "a"),)),
    )
    account.start()
    view = account.collect()
    assert [(each.environment.account, each.environment.name, each.up) for each in view.environments] == [
        ("one", "z", True),
        ("two", "a", False),
    ]
    assert view.environments[1].failures["auth"] == 1
    assert [each.name for each in view.accounts] == ["one", "two"]


# -- the checkpoint ---------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(begin: Begin, tmp_path: Path) -> Account:
    """An account with one environment and a checkpoint, of which everything has been read once."""
    made = begin(tracking_settings(checkpoint=tmp_path / "checkpoint"))
    made.environment("a", *["stopped"] * 950, "active")
    made.start()
    made.collect()
    made.wait(6)
    return made


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which a checkpoint was written."""
    moments: list[float] = []
    write = Checkpoint.write

    def noting(self: Checkpoint, content: bytes) -> None:
        moments.append(time.monotonic())
        write(self, content)

    monkeypatch.setattr(Checkpoint, "write", noting)
    return moments


def test_the_first_scrape_after_a_restart_reads_only_what_can_have_changed(kept: Account) -> None:
    kept.restart()
    assert shown(kept.collect()) == {"a": {"active": 1, "stopped": 950}}
    assert sorted(kept.endpoints) == ["stats", "work"]


def test_counters_go_on_after_a_restart(kept: Account) -> None:
    (a,) = kept.simulation.environments
    kept.simulation.create_work(a)
    kept.collect()
    kept.restart()
    kept.simulation.create_work(a, state="stopped")
    lifecycle = kept.collect().environments[0].lifecycle
    assert lifecycle is not None
    assert (lifecycle.created, lifecycle.stopped) == (2, 1)


def test_the_checkpoint_is_written_on_change_at_a_bounded_rate(kept: Account, writes: list[float]) -> None:
    (a,) = kept.simulation.environments
    for _ in range(60):
        kept.simulation.create_work(a, state="stopped")
        kept.wait(3)
        kept.collect()
    assert 5 <= len(writes) <= 6
    assert all(later - earlier >= keeper.CHECKPOINT_INTERVAL for earlier, later in pairwise(writes))


def test_without_a_change_nothing_is_written(begin: Begin, tmp_path: Path, writes: list[float]) -> None:
    account = begin(tracking_settings(checkpoint=tmp_path / "checkpoint"))
    account.environment("a", "stopped")
    account.start()
    account.collect()
    account.wait(31)
    assert len(writes) == 1
    for _ in range(20):
        account.wait(10)
        account.collect()
    assert len(writes) == 1


def test_a_full_disk_is_told_and_stops_nothing(kept: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(Checkpoint, "write", fail)
        with capture_logs() as logs:
            kept.wait(65)
            assert kept.collect().environments[0].up
        told = [entry for entry in logs if entry["event"] == "checkpoint cannot be written"]
        assert [entry["error"] for entry in told] == ["No space left on device"], "once, not at every attempt"
        assert kept.fleet.view().checkpoint == CheckpointView(last_success=None, failures=2)
    with capture_logs() as logs:
        kept.wait(31)
    assert [entry["event"] for entry in logs if "checkpoint" in entry["event"]] == ["checkpoint is written again"]
    view = kept.fleet.view().checkpoint
    assert view is not None
    assert view.last_success == pytest.approx(kept.clock.now(), abs=31)
    assert view.failures == 2
    assert kept.tracking.checkpoint is not None
    assert kept.tracking.checkpoint.exists()


def test_a_stop_in_the_middle_of_a_write_writes_the_newest_state_after_it(
    kept: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written in a thread, a checkpoint may take longer than the exporter wants to live."""
    (a,) = kept.simulation.environments
    order: list[str] = []
    write = Checkpoint.write
    to_thread = asyncio.to_thread

    async def slow(function: Callable[..., Any], *args: Any) -> Any:
        order.append("begins")
        await asyncio.sleep(5)
        await to_thread(function, *args)
        order.append("ends")

    monkeypatch.setattr(asyncio, "to_thread", slow)

    async def stop() -> None:
        await asyncio.sleep(31 - 6)
        assert order == ["begins"]
        kept.simulation.create_work(a)
        await kept.fleet.collect(time.monotonic() + 1)
        await kept.fleet.close()

    kept.run(stop())
    assert order == ["begins", "ends"] * 2
    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    monkeypatch.setattr(Checkpoint, "write", write)
    kept.fleet = kept.new_fleet()
    kept.start()
    lifecycle = kept.collect().environments[0].lifecycle
    assert lifecycle is not None
    assert lifecycle.created == 1


def test_a_fleet_that_never_started_leaves_the_checkpoint_alone(kept: Account) -> None:
    kept.run(kept.fleet.close())
    assert kept.tracking.checkpoint is not None
    content = kept.tracking.checkpoint.read_bytes()
    kept.run(kept.new_fleet().close())
    assert kept.tracking.checkpoint.read_bytes() == content


def test_an_environment_that_comes_back_goes_on_where_it_was(kept: Account) -> None:
    (a,) = kept.simulation.environments
    kept.simulation.create_work(a)
    kept.collect()
    leave(kept, a)
    kept.wait(301 + RETRY_INTERVAL)
    kept.collect()
    assert shown(kept.collect()) == {}
    kept.simulation.environment(a).archived_us = None
    kept.simulation.create_work(a, state="stopped")
    kept.wait(301)
    view = kept.collect()
    lifecycle = view.environments[0].lifecycle
    assert lifecycle is not None
    assert (lifecycle.created, lifecycle.stopped) == (2, 3)
    assert len(kept.transport.requests) == 2


def test_a_checkpoint_of_an_unfinished_reading_is_gone_on_from(begin: Begin, tmp_path: Path) -> None:
    account = begin(tracking_settings(checkpoint=tmp_path / "checkpoint", metadata_keys=("job",)), page_interval=1.0)
    account.environment("a", *["stopped"] * 2050)
    account.start()
    account.wait(9.5)
    assert account.fleet.view().environments[0].progress is not None
    account.restart()
    ledger: Ledger = next(iter(account.fleet._roster)).ledger
    assert 900 <= ledger.size < 2050
    account.transport.requests.clear()
    account.wait(13)
    assert shown(account.collect()) == {"a": {"stopped": 2050}}
    assert account.endpoints.count("work") <= 11 + 2
