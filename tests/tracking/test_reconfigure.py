"""Another configuration is a difference, not a new world: what it still has stays the same, and goes on."""

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator import Latency, Status
from exporter.tracking.patterns import Pattern
from exporter.tracking.settings import AccountSettings, EnvironmentSettings, TrackingSettings
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import FleetView
from tests.support.settings import discovery_settings, tracking_settings
from tests.tracking.conftest import Begin
from tests.tracking.fleets import Account, by_name, shown
from tests.tracking.harness import Watched

ALL = {"a": {"queued": 1, "active": 1}, "b": {"queued": 1, "stopped": 2}}


@pytest.fixture
def account(begin: Begin) -> Account:
    """An account with two environments, of which everything has been read once, and something counted."""
    made = begin()
    made.environment("a", "queued")
    b = made.environment("b", "stopped", "stopped")
    made.start()
    made.collect()
    for environment_id, state in zip(made.simulation.environments, ("active", "queued"), strict=True):
        made.simulation.create_work(environment_id, state=state)
    made.simulation.faults.add(Status(status=403, environment_id=b, count=1, endpoint="stats"))
    made.wait(6)
    made.collect()
    made.wait(6)
    made.collect()
    return made


def reconfigure(account: Account, *accounts: AccountSettings, tracking: TrackingSettings | None = None) -> None:
    account.run(account.fleet.reconfigure(accounts or [account.settings], tracking or account.tracking))


def trackers(account: Account) -> dict[str, Tracker]:
    return {tracker.environment.name: tracker for tracker in account.fleet._roster}


def counted(view: FleetView) -> dict[str, Any]:
    """What only ever grows, by environment."""
    return {
        each.environment.name: (each.lifecycle and (each.lifecycle.created, each.lifecycle.stopped), each.failures)
        for each in view.environments
    }


CHANGES: dict[str, Callable[[Account], tuple[AccountSettings, TrackingSettings]]] = {
    "nothing": lambda account: (account.settings, account.tracking),
    "the pace": lambda account: (
        replace(account.settings, client=replace(account.settings.client, requests_per_second=500_000)),
        account.tracking,
    ),
    "the token": lambda account: (
        replace(account.settings, client=account.reach("another-token-that-is-refused")),
        account.tracking,
    ),
    "the patterns": lambda account: (
        replace(account.settings, discovery=discovery_settings(include=(Pattern("a|b"),))),
        account.tracking,
    ),
    "the account's name": lambda account: (replace(account.settings, name="renamed"), account.tracking),
    "the pause between pages": lambda account: (replace(account.settings, page_interval=0.5), account.tracking),
    "the staleness": lambda account: (account.settings, replace(account.tracking, max_staleness=90.0)),
    "statistics": lambda account: (account.settings, replace(account.tracking, queue_stats=False)),
    "a list instead of a pattern": lambda account: (
        replace(
            account.settings, environments=tuple(EnvironmentSettings(each) for each in account.simulation.environments)
        ),
        account.tracking,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_during_an_outage_nothing_that_is_shown_changes(account: Account, change: str) -> None:
    before = account.fleet.view()
    same = trackers(account)
    account.simulation.faults.add(Status(status=503))
    settings, tracking = CHANGES[change](account)
    reconfigure(account, settings, tracking=tracking)
    for _ in range(3):
        view = account.fleet.view()
        assert shown(view) == ALL
        assert counted(view) == counted(before)
        assert view.accounts[0].environments == 2
        assert trackers(account) == same, "they are the same objects"
        account.wait(0.5)
    view = account.collect(2)
    assert shown(view) == ALL
    assert all(view.accounts[0].requests.requests[key] >= n for key, n in before.accounts[0].requests.requests.items())


def test_without_a_change_nothing_is_asked_and_the_client_is_the_same(account: Account) -> None:
    client = account.fleet._accounts[0].api
    account.transport.requests.clear()
    reconfigure(account)
    account.wait(1)
    assert account.transport.requests == []
    assert account.fleet._accounts[0].api is client


def test_a_new_account_does_not_disturb_the_old_one(account: Account) -> None:
    """The new account's discovery hangs; the old account's refresh goes on meanwhile and is shown at the deadline."""
    account.simulation.faults.add(Latency(seconds=60, endpoint="environments"))
    client = account.fleet._accounts[0].api
    reconfigure(account, account.settings, replace(account.settings, name="new", client=account.reach("wrong")))
    assert account.fleet._accounts[0].api is client
    account.wait(6)
    account.simulation.create_work(next(iter(account.simulation.environments)), state="active")
    view = account.collect(2)
    assert shown(view)["a"] == {"queued": 1, "active": 2}
    assert [each.name for each in view.accounts] == ["default", "new"]


def test_what_was_counted_until_the_swap_is_kept(account: Account) -> None:
    """A counter was seen to go 10, 4, 10: the records had been taken before a slow discovery."""
    before = counted(account.fleet.view())["a"][0]
    for _ in range(6):
        account.simulation.create_work(next(iter(account.simulation.environments)), state="active")
        account.wait(6)
        pace = 1_000_000 - int(account.virtual.now)
        settings = replace(account.settings, client=replace(account.settings.client, requests_per_second=pace))
        reconfigure(account, settings)
        now = counted(account.collect())["a"][0]
        assert now[0] == before[0] + 1
        before = now


def test_another_address_is_another_account_of_environments(account: Account) -> None:
    elsewhere = replace(account.settings.client, base_url="http://elsewhere/api/v1/cloud")
    account.simulation.faults.add(Status(status=503))
    reconfigure(account, replace(account.settings, client=elsewhere))
    assert shown(account.collect(1)) == {}


def test_an_environment_that_was_left_out_for_a_while_goes_on_where_it_was(account: Account) -> None:
    before = counted(account.fleet.view())
    tracker = trackers(account)["b"]
    reconfigure(account, replace(account.settings, discovery=discovery_settings(exclude=(Pattern("b"),))))
    assert set(shown(account.collect())) == {"a"}
    assert account.fleet.view().accounts[0].gone == (), "it was left out, it has not gone"
    account.wait(600)
    reconfigure(account)
    assert trackers(account)["b"] is tracker
    assert counted(account.fleet.view())["b"] == before["b"]
    assert shown(account.collect())["b"] == ALL["b"]


def test_with_other_labels_counts_are_made_anew_and_counters_go_on(account: Account) -> None:
    before = counted(account.fleet.view())
    changed = replace(account.tracking, metadata_keys=("job",))
    reconfigure(account, tracking=changed)
    view = account.fleet.view()
    assert view.metadata_keys == ("job",)
    assert shown(view) == {"a": None, "b": None}, "the old counts do not have the new label"
    view = account.collect()
    assert shown(view) == ALL
    assert counted(view) == before


@pytest.mark.parametrize("restarted", [False, True])
def test_with_other_labels_nothing_is_counted_twice(watched: Watched, restarted: bool) -> None:
    """An item waited, started and went back to the queue: what it does from now on is no first time."""
    watched.queue()
    work_id = watched.simulation.create_work(watched.id)
    for state in ("active", "queued"):
        now = watched.clock.now() if state == "active" else None
        watched.simulation.force(watched.id, work_id, state, acknowledged_at=now, started_at=now)
        watched.queue()
    changed = replace(watched.settings, metadata_keys=("job",))
    if restarted:
        watched.restart(changed)
    else:
        watched.reconfigure(changed)
    watched.clock.advance(100)
    watched.queue()
    now = watched.clock.now()
    watched.simulation.force(watched.id, work_id, "active", acknowledged_at=now, started_at=now)
    watched.queue()
    counted = watched.tracker.ledger.lifecycle
    assert (counted.created, counted.requeued, counted.wait.count, counted.startup.count) == (1, 1, 1, 1)


def test_a_refresh_that_a_reload_ends_is_no_sign_of_life(watched: Watched) -> None:
    watched.queue()
    for pace in range(10):
        watched.clock.advance(watched.settings.max_staleness / 5)
        watched.transport.before = lambda _, pace=pace: watched.reconfigure(page_interval=float(pace))
        watched.refresh()
    view = watched.tracker.view()
    assert (view.up, view.snapshot) == (False, None)


def test_a_configuration_that_cannot_be_used_changes_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    before, same = account.fleet.view(), trackers(account)
    client = account.fleet._accounts[0].api
    good = replace(account.settings, client=replace(account.settings.client, max_concurrency=2))
    bad = replace(account.settings, name="bad", client=replace(account.settings.client, requests_per_second=-1))
    with pytest.raises(ValueError, match="rate"):
        reconfigure(account, good, bad)
    assert account.fleet.view() == before
    assert trackers(account) == same
    assert account.fleet._accounts[0].api is client
    account.wait(6)
    assert shown(account.collect()) == ALL


def test_a_refresh_under_way_ends_with_its_client_and_the_next_one_succeeds(account: Account) -> None:
    account.wait(6)
    account.simulation.faults.add(Latency(seconds=3))
    account.collect(0.5)
    refresh = trackers(account)["a"]._refresh
    assert refresh is not None
    reconfigure(account, replace(account.settings, client=replace(account.settings.client, max_concurrency=4)))
    account.wait(1)
    assert refresh.cancelled()
    account.simulation.faults.clear()
    view = account.collect()
    assert shown(view) == ALL
    assert by_name(view, "a").up
    assert sum(by_name(view, "a").failures.values()) == 0


def test_memory_does_not_grow_with_configurations(account: Account) -> None:
    def objects() -> int:
        gc.collect()
        return sum(1 for each in gc.get_objects() if str(type(each).__module__).startswith("exporter."))

    counted_objects = []
    for number in range(12):
        pace = 1_000_000 - number
        settings = replace(account.settings, client=replace(account.settings.client, requests_per_second=pace))
        reconfigure(account, settings, tracking=replace(account.tracking, max_staleness=60.0 + number))
        account.wait(6)
        account.collect()
        account.wait(6)
        counted_objects.append(objects())
    assert max(counted_objects[6:]) <= max(counted_objects[:6])
    assert account.fleet._closing == set()


# -- the checkpoint ---------------------------------------------------------------------------------------------------


def test_a_new_checkpoint_file_gets_what_is_known_and_the_old_one_is_left(begin: Begin, tmp_path: Path) -> None:
    account = begin(tracking_settings(checkpoint=tmp_path / "old"))
    account.environment("a", *["stopped"] * 950)
    account.start()
    account.collect()
    account.wait(31)
    moved = replace(account.tracking, checkpoint=tmp_path / "new")
    reconfigure(account, tracking=moved)
    account.wait(31)
    assert (tmp_path / "new").read_bytes() == (tmp_path / "old").read_bytes()
    account.tracking = moved
    account.restart()
    assert account.fleet.view().environments[0].history_complete


def test_what_is_in_memory_is_never_replaced_by_an_older_file(begin: Begin, tmp_path: Path) -> None:
    account = begin(tracking_settings(checkpoint=tmp_path / "checkpoint"))
    a = account.environment("a")
    account.start()
    account.collect()
    account.wait(31)
    older = (tmp_path / "checkpoint").read_bytes()
    account.simulation.create_work(a)
    account.wait(6)
    account.collect()
    (tmp_path / "other").write_bytes(older)
    reconfigure(account, tracking=replace(account.tracking, checkpoint=tmp_path / "other"))
    reconfigure(account, replace(account.settings, discovery=discovery_settings(exclude=(Pattern("a"),))))
    account.wait(1)
    reconfigure(account, tracking=replace(account.tracking, checkpoint=tmp_path / "other"))
    assert counted(account.collect())["a"][0] == (1, 0)


def test_the_checkpoint_can_be_turned_on_and_off(begin: Begin, tmp_path: Path) -> None:
    account = begin()
    account.environment("a", "stopped")
    account.start()
    account.collect()
    assert account.fleet.view().checkpoint is None
    reconfigure(account, tracking=replace(account.tracking, checkpoint=tmp_path / "checkpoint"))
    account.wait(31)
    assert (tmp_path / "checkpoint").exists()
    reconfigure(account)
    assert account.fleet.view().checkpoint is None


# -- two that see one -------------------------------------------------------------------------------------------------


def test_an_environment_that_two_accounts_see_is_read_by_the_first(begin: Begin) -> None:
    account = begin()
    shared, own = account.environment("shared", "queued"), account.environment("own", "active")
    first = replace(account.settings, name="first", environments=(EnvironmentSettings(shared, "shared"),))
    second = replace(account.settings, name="second", client=account.reach())
    for order in ((first, second), (second, first)):
        account.fleet = account.new_fleet(*order)
        account.start()
        view = account.collect()
        assert shown(view) == {"shared": {"queued": 1}, "own": {"active": 1}}
        owners = {each.environment.id: each.environment.account for each in view.environments}
        assert owners == {shared: order[0].name, own: "second"}
        conflicts = {each.name: [(found.id, found.owner) for found in each.conflicts] for each in view.accounts}
        assert conflicts == {order[0].name: [], order[1].name: [(shared, order[0].name)]}
        assert [each.environments for each in view.accounts] == ([1, 1] if order[0] is first else [2, 0])
        account.run(account.fleet.close())
    account.fleet = account.new_fleet()


def test_the_owner_is_the_same_whoever_answers_first(begin: Begin) -> None:
    """The first account's discovery fails for a while: the second reads the environment, and hands it over later."""
    account = begin()
    account.environment("shared", "queued")
    account.simulation.faults.add(Status(status=403, endpoint="environments", count=1))
    first, second = (replace(account.settings, name=name) for name in ("first", "second"))
    account.fleet = account.new_fleet(first, second)
    account.start()
    account.simulation.create_work(next(iter(account.simulation.environments)))
    (tracker,) = account.fleet._roster
    assert tracker.environment.account == "second"
    account.wait(20)
    assert list(account.fleet._roster) == [tracker]
    view = account.collect()
    assert view.environments[0].environment.account == "first"
    assert shown(view) == {"shared": {"queued": 2}}


def test_the_same_id_at_two_apis_is_two_environments(begin: Begin) -> None:
    account = begin()
    shared = account.environment("shared", "queued")
    listed = replace(account.settings, environments=(EnvironmentSettings(shared, "x"),))
    elsewhere = replace(
        listed, name="elsewhere", client=replace(account.settings.client, base_url="http://two/api/v1/cloud")
    )
    account.fleet = account.new_fleet(listed, elsewhere)
    account.start()
    assert len(account.collect().environments) == 2
    assert not any(each.conflicts for each in account.fleet.view().accounts)
