"""Which environments are watched, and what they are called."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.simulator import Garbage, Options, Status
from exporter.tracking.discovery import RETRY_INTERVAL, Discovery
from exporter.tracking.settings import DiscoverySettings, EnvironmentSettings
from tests.support.settings import account_settings, discovery_settings
from tests.tracking.fleets import Account
from tests.tracking.virtual_time import VirtualTime

Begin = Callable[..., Account]


@pytest.fixture
def begin(virtual_time: VirtualTime) -> Iterator[Begin]:
    """Makes accounts, and closes them."""
    made: list[Account] = []

    def make(**kwargs: Any) -> Account:
        made.append(Account(virtual_time, **kwargs))
        return made[-1]

    yield make
    for account in made:
        account.close()


def watched(account: Account) -> list[tuple[str, str]]:
    """Name and ID of what is watched, in the order in which it is shown."""
    identities = [each.environment for each in account.fleet.view().environments]
    return [(identity.name, identity.id) for identity in identities]


def names(account: Account) -> list[str]:
    return [name for name, _ in watched(account)]


def patterns(include: str = ".*", *exclude: str) -> DiscoverySettings:
    return discovery_settings(include=(re.compile(include),), exclude=tuple(map(re.compile, exclude)))


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
        (discovery_settings(include=(re.compile("cpu"), re.compile("gpu-big"))), ["cpu", "gpu-big"]),
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
    told: list[Any] = []
    looking = Discovery(account.settings, account.fleet._accounts[0].api, told.append)
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
