"""Which environments are watched, and what they are called."""

import re
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.cli.collection import notices
from exporter.simulator import Garbage, Options, Status
from exporter.tracking.discovery import RETRY_INTERVAL, Discovery
from exporter.tracking.patterns import Pattern, PatternError
from exporter.tracking.roster import GONE_FOR
from exporter.tracking.settings import DiscoverySettings, EnvironmentSettings
from tests.support.settings import account_settings, discovery_settings
from tests.tracking.conftest import Begin
from tests.tracking.fleets import Account
from tests.tracking.lies import Lie, Page


def watched(account: Account) -> list[tuple[str, str]]:
    """Name and ID of what is watched, in the order in which it is shown."""
    identities = [each.environment for each in account.fleet.view().environments]
    return [(identity.name, identity.id) for identity in identities]


def names(account: Account) -> list[str]:
    return [name for name, _ in watched(account)]


def patterns(include: str = ".*", *exclude: str) -> DiscoverySettings:
    return discovery_settings(include=(Pattern(include),), exclude=tuple(map(Pattern, exclude)))


def test_every_self_hosted_environment_is_watched_in_the_order_of_the_names(begin: Begin) -> None:
    account = begin()
    ids = {name: account.environment(name) for name in ("b", "c", "a")}
    account.start()
    assert watched(account) == [(name, ids[name]) for name in ("a", "b", "c")]


def test_cloud_and_archived_and_unheard_of_environments_are_not_watched(begin: Begin) -> None:
    account = begin()
    account.environment("mine")
    account.environment("theirs", kind="cloud")
    account.environment("strange", kind="quantum")
    account.environment("old", archived=True)
    account.start()
    assert names(account) == ["mine"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (patterns("gpu-.*"), ["gpu-big", "gpu-small"]),
        (patterns("gpu"), []),
        (patterns(".*", "gpu-b.*"), ["cpu", "gpu-small"]),
        (patterns("gpu-.*", ".*-big", ".*-small"), []),
        (discovery_settings(include=(Pattern("cpu"), Pattern("gpu-big"))), ["cpu", "gpu-big"]),
    ],
)
def test_patterns_choose_by_whole_names(begin: Begin, settings: DiscoverySettings, expected: list[str]) -> None:
    account = begin(discovery=settings)
    for name in ("gpu-big", "gpu-small", "cpu"):
        account.environment(name)
    account.start()
    assert names(account) == expected


def test_patterns_choose_by_id_too(begin: Begin) -> None:
    account = begin()
    first, second = account.environment("a"), account.environment("b")
    account.settings = account_settings("default", account.reach(), discovery=patterns(f"{first}|b", re.escape(second)))
    account.fleet = account.new_fleet()
    account.start()
    assert names(account) == ["a"]


def test_a_long_list_of_environments_is_read_to_its_end(begin: Begin) -> None:
    account = begin()
    for number in range(250):
        account.environment(f"e{number:03}")
    account.start()
    assert names(account) == [f"e{number:03}" for number in range(250)]
    assert account.endpoints.count("environments") == 3


def test_an_environment_without_a_name_is_called_by_its_id(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("")
    account.start()
    assert watched(account) == [(environment_id, environment_id)]


def test_environments_of_one_name_are_all_watched(begin: Begin) -> None:
    account = begin()
    ids = sorted(account.environment("twin") for _ in range(3))
    account.start()
    assert watched(account) == [("twin", each) for each in ids]


def test_configured_environments_with_names_are_not_looked_up(begin: Begin) -> None:
    account = begin(environments=(EnvironmentSettings("env_1", "one"), EnvironmentSettings("env_2", "two")))
    account.start()
    assert watched(account) == [("one", "env_1"), ("two", "env_2")]
    assert "environments" not in account.endpoints
    assert account.fleet.view().accounts[0].discovery_up is None


def test_the_names_of_configured_environments_are_looked_up(begin: Begin) -> None:
    account = begin()
    ids = [account.environment("a"), account.environment("b"), account.environment("not asked for")]
    configured = (EnvironmentSettings(ids[1]), EnvironmentSettings(ids[0], "mine"), EnvironmentSettings("env_gone"))
    account.settings = account_settings("default", account.reach(), environments=configured)
    account.fleet = account.new_fleet()
    account.start()
    assert watched(account) == [("b", ids[1]), ("mine", ids[0]), ("env_gone", "env_gone")]


def test_configured_environments_are_watched_though_their_names_cannot_be_found(begin: Begin) -> None:
    account = begin(environments=(EnvironmentSettings("env_1"),))
    account.simulation.faults.add(Status(status=403, endpoint="environments"))
    account.start()
    assert watched(account) == [("env_1", "env_1")]
    assert account.fleet.view().accounts[0].discovery_up is False


def test_a_failed_look_up_is_tried_again_soon_and_a_good_one_later(begin: Begin) -> None:
    account = begin()
    account.simulation.faults.add(Status(status=403, endpoint="environments", count=2))
    account.start()
    for expected in (1, 2, 3, 3):
        assert account.endpoints.count("environments") == expected
        account.wait(RETRY_INTERVAL + 0.1)
    account.wait(300)
    assert account.endpoints.count("environments") == 4


def test_a_list_of_environments_without_an_end_is_a_failure(begin: Begin) -> None:
    account = begin()
    for number in range(120):
        account.environment(f"e{number}")
    account.simulation.faults.add(Garbage(content="repeated_page", endpoint="environments"))
    account.start()
    assert names(account) == []
    view = account.fleet.view().accounts[0]
    assert view.discovery_error == "environments: the list of environments does not come to an end"
    assert account.endpoints.count("environments") == 2


def test_a_missing_field_of_the_envelope_does_not_matter(begin: Begin) -> None:
    for omitted in ("has_more", "next_page", "last_id"):
        account = begin()
        account.simulation.options = Options(omit=frozenset({omitted}))
        for number in range(120):
            account.environment(f"e{number:03}")
        account.start()
        assert len(names(account)) == 120


def test_what_has_not_changed_is_not_told_again(begin: Begin) -> None:
    account = begin()
    account.environment("a")
    told: list[bool] = []
    looking = Discovery(account.settings, account.fleet._accounts[0].api, lambda: told.append(True))
    for _ in range(3):
        account.run(looking.look())
    assert len(told) == 1


def test_a_defect_while_looking_is_told_and_does_not_end_the_looking(begin: Begin) -> None:
    account = begin()
    account.environment("a")
    inner = account.transport.inner

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise ZeroDivisionError("nobody thought of this")

    account.transport.inner = Broken()
    with capture_logs() as logs:
        account.start()
    assert account.fleet.ready
    assert account.fleet.view().accounts[0].discovery_up is False
    assert [entry["exc_info"] for entry in logs if "defect" in entry["event"]] == [True]
    account.transport.inner = inner
    account.wait(RETRY_INTERVAL + 1)
    assert names(account) == ["a"]


# -- what is gone, and what only seems to be --------------------------------------------------------------------------


def hide(account: Account, *environment_ids: str) -> None:
    """Let the list of environments leave these out, as a replica does that lags behind."""
    for environment_id in environment_ids:
        account.simulation.environment(environment_id).archived_us = 1


def unhide(account: Account, *environment_ids: str) -> None:
    for environment_id in environment_ids:
        account.simulation.environment(environment_id).archived_us = None


def test_one_short_answer_makes_nothing_forgotten(begin: Begin) -> None:
    account = begin()
    ids = [account.environment(name, "queued") for name in ("a", "b", "c")]
    account.start()
    hide(account, *ids)
    account.wait(290)
    account.collect()
    account.wait(11)
    assert names(account) == ["a", "b", "c"]
    unhide(account, *ids)
    account.wait(RETRY_INTERVAL + 1)
    view = account.collect()
    assert [each.up for each in view.environments] == [True] * 3
    assert not any(each.leaving for each in view.environments)
    assert view.accounts[0].gone == ()


def test_an_environment_that_is_missing_twice_and_idle_is_shown_as_gone_for_a_day(begin: Begin) -> None:
    account = begin()
    account.environment("a", "queued")
    gone = account.environment("b", "stopped")
    account.start()
    account.collect()
    hide(account, gone)
    account.wait(301 + RETRY_INTERVAL)
    with capture_logs() as logs:
        account.collect()
        account.wait(6)
        view = account.collect()
    assert names(account) == ["a"]
    assert [(each.id, each.name) for each in view.accounts[0].gone] == [(gone, "b")]
    assert view.accounts[0].environments == 1
    assert [entry["environment_id"] for entry in logs if entry["event"] == "environment has left the account"] == [gone]
    account.wait(GONE_FOR + 1)
    assert account.collect().accounts[0].gone == ()


@pytest.mark.parametrize("ahead", [-7200.0, 2 * GONE_FOR])
def test_setting_this_machines_clock_makes_nothing_leave_sooner_or_later(begin: Begin, ahead: float) -> None:
    account = begin()
    account.environment("a", "queued")
    gone = account.environment("b", "stopped")
    account.start()
    account.collect()
    hide(account, gone)
    account.wait(301 + RETRY_INTERVAL)
    account.ahead = ahead
    for _ in range(2):
        account.collect()
        account.wait(6)
    assert names(account) == ["a"]
    account.ahead = 0.0
    for passed, expected in ((GONE_FOR - 60, [gone]), (60, [])):
        account.wait(passed)
        assert [each.id for each in account.collect().accounts[0].gone] == expected
        account.ahead = ahead


def test_an_archived_environment_stays_until_it_is_drained(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("a", "active")
    account.start()
    account.simulation.archive_environment(environment_id)
    for _ in range(5):
        account.wait(301)
        (shown,) = account.collect().environments
        assert shown.up
    assert shown.leaving
    for item in account.simulation.truth(environment_id).live:
        account.simulation.force(environment_id, item.id, "stopped")
    account.wait(6)
    account.collect()
    assert account.collect().environments == ()


def test_a_deleted_environment_goes_although_items_were_live(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("a", "active")
    account.start()
    account.collect()
    account.simulation.delete_environment(environment_id)
    account.wait(301 + RETRY_INTERVAL)
    account.collect()
    view = account.collect()
    assert view.environments == ()
    assert [each.name for each in view.accounts[0].gone] == ["a"]


def test_an_outage_does_not_make_a_missing_environment_go(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("a", "active")
    account.start()
    account.collect()
    hide(account, environment_id)
    account.wait(301)
    account.simulation.faults.add(Status(status=503, endpoint="list"))
    account.wait(RETRY_INTERVAL)
    for _ in range(5):
        account.wait(60)
        assert names(account) == ["a"]
        account.collect(1)


def test_an_environment_that_returns_goes_on_where_it_was_without_a_checkpoint(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("a")
    account.start()
    account.collect()
    for _ in range(3):
        account.simulation.create_work(environment_id, state="stopped")
    account.wait(6)
    account.collect()
    hide(account, environment_id)
    account.wait(301 + RETRY_INTERVAL)
    account.collect()
    assert account.collect().environments == ()
    unhide(account, environment_id)
    account.wait(301)
    view = account.collect()
    assert view.environments[0].lifecycle is not None
    assert view.environments[0].lifecycle.created == 3
    assert view.accounts[0].gone == ()


def test_an_environment_renamed_out_of_the_patterns_is_left_out_at_once_and_not_gone(begin: Begin) -> None:
    account = begin(discovery=patterns("gpu-.*"))
    environment_id = account.environment("gpu-1", "active")
    account.start()
    account.simulation.rename_environment(environment_id, "cpu-1")
    account.wait(301)
    view = account.collect()
    assert view.environments == ()
    assert view.accounts[0].gone == ()


def test_a_renamed_environment_is_shown_without_a_gap(begin: Begin) -> None:
    account = begin()
    environment_id = account.environment("old", "queued")
    account.start()
    account.collect()
    account.simulation.faults.add(Status(status=503, endpoint="list"))
    account.simulation.rename_environment(environment_id, "new")
    before = account.fleet.view().environments[0]
    account.run(account.fleet._accounts[0].discovery.look())
    after = account.fleet.view().environments[0]
    assert after.environment.name == "new"
    assert after.snapshot == before.snapshot
    assert after.snapshot is not None


def test_patterns_that_match_nothing_are_told(begin: Begin) -> None:
    settings = discovery_settings(include=(Pattern("gpu-.*"), Pattern("typo-.*"), Pattern("cpu")))
    account = begin(discovery=settings)
    account.environment("gpu-1")
    account.environment("cpu", kind="cloud")
    account.start()
    assert account.fleet.view().accounts[0].unmatched == ("typo-.*", "cpu")


def test_an_account_without_environments_has_unmatched_patterns(begin: Begin) -> None:
    account = begin()
    account.start()
    view = account.fleet.view().accounts[0]
    assert (view.environments, view.unmatched) == (0, (".*",))


def test_before_a_discovery_succeeds_nothing_is_unmatched(begin: Begin) -> None:
    account = begin()
    account.simulation.faults.add(Status(status=503, endpoint="environments"))
    account.start()
    assert account.fleet.view().accounts[0].unmatched == ()


def unreadable(*environment_ids: str) -> Callable[[httpx.Request, Page], Page]:
    """Describe some environments in a way that nobody understands."""
    return lambda _, page: (
        page | {"data": [each | ({"config": "text"} if each["id"] in environment_ids else {}) for each in page["data"]]}
    )


def test_an_environment_that_cannot_be_read_is_named(begin: Begin) -> None:
    account = begin()
    odd = account.environment("odd")
    account.environment("even")
    with Lie(account, unreadable(odd), "environments"):
        account.start()
        assert names(account) == ["even"]
        assert account.fleet.view().accounts[0].skipped == (odd,)
        assert list(notices(account.fleet.view())) == [f"account default: discovery cannot read environment {odd}"]
    account.run(account.fleet._accounts[0].discovery.look())
    assert names(account) == ["even", "odd"]
    assert account.fleet.view().accounts[0].skipped == ()


def test_a_watched_environment_that_cannot_be_read_any_more_is_still_watched(begin: Begin) -> None:
    account = begin()
    odd = account.environment("odd", "active")
    account.environment("even")
    account.start()
    with Lie(account, unreadable(odd), "environments"):
        for _ in range(4):
            account.wait(account.settings.discovery.refresh_interval)
        view = account.collect()
    assert [(each.environment.name, each.leaving, each.up) for each in view.environments] == [
        ("even", False, True),
        ("odd", False, True),
    ]
    assert (view.accounts[0].skipped, view.accounts[0].gone) == ((odd,), ())


def test_a_hostile_name_cannot_hang_a_pattern() -> None:
    pattern = Pattern("(a|aa)+b")
    with capture_logs() as logs:
        assert not pattern.matches("a" * 100_000)
    assert [entry["event"] for entry in logs] == ["a pattern takes too long on a name and counts as no match"]
    assert len(logs[0]["name"]) <= 100
    assert pattern.matches("aab")


@given(st.text(max_size=30))
def test_a_pattern_is_compiled_or_refused_with_a_reason(text: str) -> None:
    try:
        pattern = Pattern(text)
    except PatternError as error:
        reason = str(error)
    else:
        reason = f"it matches: {pattern.matches('any name')}"
    assert reason
