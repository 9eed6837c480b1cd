"""What one environment does is nothing to the others on its account: their age, and its requests, are bounded."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.simulator import Garbage, Latency, Reset, Status
from exporter.simulator.faults import AnyFault
from exporter.tracking.reader import MAX_EXTRA
from tests.tracking.conftest import Begin
from tests.tracking.fleets import Account, by_name, counts
from tests.tracking.test_schedule import begin, rest, scrape

__all__ = ["begin"]

NEIGHBOURS = 50
MAX_AGE = 10.0
"""Seconds: how old a neighbour's data are at most when a scrape is answered, as docs/operating.md promises."""

FAULTS: dict[str, Callable[[str], AnyFault] | None] = {
    "hangs": lambda bad: Latency(seconds=3600, environment_id=bad),
    "takes 5 s for each answer": lambda bad: Latency(seconds=5, environment_id=bad),
    "503 at every attempt": lambda bad: Status(status=503, environment_id=bad),
    "429 at every attempt": lambda bad: Status(status=429, environment_id=bad),
    "reset at every attempt": lambda bad: Reset(environment_id=bad),
    "a cursor that leads nowhere": lambda bad: Garbage(content="stuck_cursor", environment_id=bad),
    "the first page for ever": lambda bad: Garbage(content="repeated_page", environment_id=bad),
    "a thousand live items, far apart": None,
}


@pytest.mark.parametrize("what", FAULTS)
def test_neighbours_stay_current_and_what_is_sent_is_bounded(begin: Begin, what: str) -> None:
    account = begin(NEIGHBOURS, "active", "queued")
    bad = account.environment("bad", *["active", *["stopped"] * 100] * (1000 if FAULTS[what] is None else 30))
    account.start()
    until_whole(account)
    make = FAULTS[what]
    if make is not None:
        account.simulation.faults.add(make(bad))
    oldest, planned = 0.0, len(account.simulation.truth(bad).live) + 10
    for _ in range(8):
        start = account.virtual.now
        view = scrape(account)
        for each in view.environments:
            if each.environment.id == bad:
                assert (each.refresh_requests or 0) <= planned + MAX_EXTRA
                continue
            assert each.up
            assert each.snapshot is not None
            assert counts(each) == {"active": 1, "queued": 1}
            oldest = max(oldest, account.clock.now() - each.snapshot.read_at)
        rest(account, start)
    print(f"{what}: the oldest data of a neighbour were {oldest:.1f} s old")
    assert oldest <= MAX_AGE
    account.simulation.faults.clear()
    account.run(asyncio.sleep(60))  # what is under way ends
    until_whole(account)


def until_whole(account: Account) -> None:
    """Scrape until the environment that is to be bad is up, with the right counts."""
    for _ in range(40):
        start = account.virtual.now
        view = by_name(scrape(account), "bad")
        if view.up and counts(view) is not None:
            return
        rest(account, start)
    raise AssertionError("it does not become whole")


def test_the_documentation_has_these_numbers() -> None:
    text = " ".join(Path("docs/operating.md").read_text(encoding="utf-8").split())
    assert f"the data of {NEIGHBOURS} others on its account are at most {MAX_AGE:.0f} s old" in text
    assert f"and {MAX_EXTRA} more at the most" in text


def test_time_is_virtual(begin: Begin) -> None:
    """So that the ages above are exact."""
    account = begin(1)
    before = time.monotonic()
    account.run(asyncio.sleep(3600))
    assert time.monotonic() - before == 3600
