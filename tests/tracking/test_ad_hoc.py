"""Environments that are read only because somebody asks for them."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exporter.tracking import ad_hoc
from exporter.tracking.patterns import Pattern
from exporter.tracking.view import EnvironmentView
from tests.support.settings import discovery_settings
from tests.tracking.fleets import Account, counts, shown
from tests.tracking.virtual_time import VirtualTime


@pytest.fixture
def account(virtual_time: VirtualTime) -> Iterator[Account]:
    """An account that watches one of its environments."""
    account = Account(virtual_time, discovery=discovery_settings(include=(Pattern("a"),)))
    account.environment("a", "queued")
    account.start()
    yield account
    account.close()


def probe(account: Account, environment_id: str, name: str | None = None) -> EnvironmentView | None:
    return account.run(account.fleet.probe(environment_id, time.monotonic() + 5, name))


def test_it_is_read_and_stays_out_of_every_view(account: Account) -> None:
    other = account.environment("b", "queued", "active")
    view = probe(account, other)
    assert view is not None
    assert view.up
    assert counts(view) == {"queued": 1, "active": 1}
    assert view.environment.id == view.environment.name == other
    assert set(shown(account.collect())) == {"a"}


def test_it_is_remembered_from_one_probe_to_the_next(account: Account) -> None:
    other = account.environment("b", *["stopped"] * 3, "queued")
    probe(account, other)
    account.wait(6)
    account.simulation.create_work(other)
    view = probe(account, other)
    assert view is not None
    assert view.lifecycle is not None
    assert view.lifecycle.created == 1


def test_one_that_does_not_exist_is_forgotten_at_once(account: Account) -> None:
    view = probe(account, "env_none")
    assert view is not None
    assert view.outcomes[0].reason == "not_found"
    assert len(account.fleet._accounts[0].ad_hoc) == 0


def test_the_number_remembered_is_bounded(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ad_hoc, "MAX_ENVIRONMENTS", 2)
    others = [account.environment(f"other-{n}") for n in range(3)]
    for other in others:
        account.wait(1)
        probe(account, other)
    remembered = account.fleet._accounts[0].ad_hoc
    assert list(remembered._trackers) == others[1:]


def test_one_that_nobody_asks_for_is_forgotten(account: Account) -> None:
    first, second = account.environment("b"), account.environment("c")
    probe(account, first)
    account.wait(ad_hoc.IDLE_SECONDS + 1)
    probe(account, second)
    assert list(account.fleet._accounts[0].ad_hoc._trackers) == [second]


def test_with_several_accounts_one_must_be_named(account: Account) -> None:
    other = account.environment("b")
    account.run(account.fleet.close())
    account.fleet = account.new_fleet(*(replace(account.settings, name=name) for name in ("one", "two")))
    account.start()
    assert probe(account, other) is None
    assert probe(account, other, "elsewhere") is None
    view = probe(account, other, "two")
    assert view is not None
    assert view.environment.account == "two"
