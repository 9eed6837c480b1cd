"""Outages with a real Prometheus and a real Alertmanager, a minute in a second: what is notified, and what is not.

The same timelines as in test_outages.py, side by side: each account, environment or exporter has an outage of its own.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from tests.rules.outages import Values, dead, healthy, restarted, unread
from tests.rules.queues import TARGET
from tests.rules.stage import Page, Played, play
from tests.support.randomness import LONG

pytestmark = [pytest.mark.program("prometheus", "prometheus-alertmanager"), pytest.mark.long]

MINUTE = 1.0
"""Seconds."""

DIES, BEGINS, WATCHED = 5, 27, 15
"""The minutes at which workers die and outages begin, and for how many to go on after the last."""

LEAVES = 60
"""The minute at which an environment is no longer discovered: it must have been watched for almost an hour."""

LENGTHS = (2, 10, 60) if LONG else (2, 10)
END = BEGINS + max(LENGTHS) + WATCHED
INCIDENT = {
    "QoderWorkHeartbeatLost",
    "QoderWorkHeartbeatLate",
    "QoderWorkNoWorkersPolling",
    "QoderWorkQueueStalled",
    "QoderWorkQueueGrowingWithoutWorkers",
}
PAGES = {"QoderWorkHeartbeatLost", "QoderWorkNoWorkersPolling"}
"""What the pager is told of an incident: these inhibit the others."""


def of_account(account: str, values: Values) -> Values:
    return {series.replace('account="default"', f'account="{account}"'): row for series, row in values.items()}


def two(name: str, stands: tuple[float, float] = (0, 0)) -> Values:
    """An environment whose workers die, and one whose workers do not."""
    return {**dead(f"dead-{name}", stands, DIES).play(END), **healthy(f"well-{name}", stands).play(END)}


def api_down(minutes: int) -> Values:
    """The API answers nobody: nothing happens to the work meanwhile."""
    values = two(f"api-{minutes}", (60 * BEGINS, 60 * (BEGINS + minutes)))
    for environment in (f"dead-api-{minutes}", f"well-api-{minutes}"):
        values = unread(values, BEGINS, BEGINS + minutes, environment)
    return of_account(f"api-{minutes}", values)


def partly(minutes: int) -> Values:
    """One environment of an account cannot be read."""
    return of_account("partly", unread(two(f"part-{minutes}"), BEGINS, BEGINS + minutes, f"dead-part-{minutes}"))


def ends() -> Values:
    """New workers take up the work during the outage."""
    ill, well = dead("ends", dies=DIES).play(END), healthy("ends").play(END)
    values: Values = {
        name: [row[minute] if minute < BEGINS + 5 else well[name][minute] for minute in range(END + 1)]
        for name, row in ill.items()
    }
    return of_account("partly", unread(values, BEGINS, BEGINS + 10, "ends"))


def without_statistics() -> Values:
    """The list is read and the statistics are not."""
    values = two("stats")
    for name in values:
        if "workers_polling" in name:
            values[name][BEGINS : BEGINS + 10] = [None] * 10
    return of_account("partly", values)


def leaves() -> Values:
    """An environment that is no longer discovered."""
    values = healthy("leaves").play(END)
    return {
        name: [
            None if 'environment="leaves"' in name and minute >= LEAVES else value for minute, value in enumerate(row)
        ]
        for name, row in of_account("partly", values).items()
    }


def discovery() -> Values:
    """An account whose pattern matches no environment, and one that has none."""
    values = {
        ("qoder_exporter_discovery_unmatched_patterns", "narrow"): 1.0,
        ("qoder_exporter_environments", "empty"): 0.0,
        ("qoder_exporter_discovery_up", "empty"): 1.0,
    }
    return {
        f'{name}{{{TARGET}, account="{account}"}}': [value] * (END + 1) for (name, account), value in values.items()
    }


def side(requests: str, values: Values) -> Values:
    """One of a pair, with the requests it makes of the API."""
    name = f'qoder_api_requests_total{{{TARGET}, account="pair", endpoint="list", code="{requests}"}}'
    since = BEGINS if requests == "401" else 0
    return of_account("pair", values) | {name: [10.0 * max(0, minute - since) for minute in range(END + 1)]}


def pair() -> Mapping[str, Values]:
    """The second one's token is refused from the beginning of the outages on."""
    seeing, blind = two("pair"), two("pair")
    for environment in ("dead-pair", "well-pair"):
        blind = unread(blind, BEGINS, END + 1, environment)
    return {"pair-1:10190": side("200", seeing), "pair-2:10190": side("401", blind)}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    shown = {
        "a:10190": {
            name: row
            for values in (
                *map(api_down, LENGTHS),
                *map(partly, LENGTHS),
                ends(),
                leaves(),
                without_statistics(),
                discovery(),
            )
            for name, row in values.items()
        },
        "restarted:10190": restarted(two("restarted"), BEGINS, 2, 10),
        "gone:10190": restarted(two("gone"), BEGINS, 10, 0),
        **pair(),
    }
    return play(tmp_path_factory.mktemp("outages"), shown, MINUTE, BEGINS, END)


DEAD = [
    *(f"dead-api-{minutes}" for minutes in LENGTHS),
    *(f"dead-part-{minutes}" for minutes in LENGTHS),
    "dead-stats",
    "dead-restarted",
    "dead-gone",
    "dead-pair",
]
NOTICED = [minutes for minutes in LENGTHS if minutes > 2]
"""The outages that are too long to be let pass."""


def told(pages: Sequence[Page], status: str, name: str, about: str) -> list[float]:
    """The minutes at which a receiver was told of an alert."""
    return [page.minute for page in pages if (page.status, page.name, page.about) == (status, name, about)]


def once(minutes: Sequence[float]) -> float:
    """The minute of the only notification, apart from the reminders after an hour."""
    assert all(later - earlier > 55 for earlier, later in pairwise(minutes)), minutes
    return minutes[0]


@pytest.mark.parametrize("environment", DEAD)
def test_what_fires_goes_on(played: Played, environment: str) -> None:
    for name in INCIDENT:
        (began,) = played.begun[name, environment]
        assert began < BEGINS, name
        assert told((*played.pager, *played.tickets), "resolved", name, environment) == [], name


@pytest.mark.parametrize("environment", [*DEAD, "ends"])
def test_an_incident_pages_once(played: Played, environment: str) -> None:
    for name in PAGES:
        assert once(told(played.pager, "firing", name, environment)) < BEGINS
        assert len({page.began for page in played.pager if (page.name, page.about) == (name, environment)}) == 1


@pytest.mark.parametrize("minutes", NOTICED)
@pytest.mark.parametrize(
    ("name", "about"), [("QoderWorkApiDown", "api-{}"), ("QoderWorkEnvironmentDown", "dead-part-{}")]
)
def test_a_long_outage_pages_before_it_ends_and_no_longer_than_it_lasts(
    played: Played, name: str, about: str, minutes: int
) -> None:
    assert BEGINS < once(told(played.pager, "firing", name, about.format(minutes))) < BEGINS + minutes
    assert once(told(played.pager, "resolved", name, about.format(minutes))) > BEGINS + minutes


def test_nothing_else_pages(played: Played) -> None:
    """Neither during the outages nor after them."""
    paged = {(page.name, page.about) for page in played.pager if page.status == "firing"}
    assert paged == {
        *((name, environment) for name in PAGES for environment in (*DEAD, "ends")),
        *(("QoderWorkApiDown", f"api-{minutes}") for minutes in NOTICED),
        *(("QoderWorkEnvironmentDown", f"dead-part-{minutes}") for minutes in NOTICED),
        ("QoderWorkEnvironmentDown", "ends"),
    }


def test_the_tickets_are_told_what_is_no_longer_seen(played: Played) -> None:
    ticketed = {(page.name, page.about) for page in played.tickets if page.status == "firing"}
    assert ticketed == {
        *(("QoderWorkHeartbeatLate", environment) for environment in (*DEAD, "ends")),
        ("QoderWorkExporterDown", "gone:10190"),
        *([("QoderWorkEnvironmentGone", "leaves")] if END > LEAVES else []),
        ("QoderWorkDiscoveryPatternUnmatched", "narrow"),
        ("QoderWorkNothingWatched", "empty"),
        ("QoderWorkTokenRefusedPartly", "pair"),
        ("QoderWorkRedundancyLost", "dead-pair"),
        ("QoderWorkRedundancyLost", "well-pair"),
    }


def test_an_incident_that_ends_during_an_outage_ends_after_it(played: Played) -> None:
    for name in PAGES:
        assert once(told(played.pager, "resolved", name, "ends")) > BEGINS + 10
