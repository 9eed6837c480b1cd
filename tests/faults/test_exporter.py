"""Each fault beside a healthy neighbour in a whole exporter, in which all others act at the same time.

One process with an account for each fault (`tests.faults.play`); each test looks at what was seen of one meanwhile.
"""

import json
import statistics
from collections import Counter

import pytest

from tests.faults.bounds import MAX_AGE, MEMORY, OTHER_SOCKETS, SOCKETS_PER_ACCOUNT, WARNINGS
from tests.faults.matrix import FAULTS, OK, Fault
from tests.faults.play import ROUNDS, SCRAPE_TIMEOUT, Account, Phase, Play, play

every_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """What was seen."""
    return play(tmp_path_factory.mktemp("faults"))


@every_fault
def test_the_fault_is_named_and_no_number_is_wrong(seen: Play, fault: Fault) -> None:
    account = seen.accounts[fault.id]
    true = true_counts(fault)
    for before, phase in with_predecessors(account, broken=True):
        last = phase.seen[-1]
        grown = Counter(last.failures) - Counter(before.seen[-1].failures)
        if fault.reason == OK:
            assert not grown
            assert all(each.up for each in phase.seen)
            assert (last.items, last.unreadable) == (dict(fault.counts), fault.unreadable)
            assert phase.asked > 0
        else:
            assert all(each.items in (None, true) for each in phase.seen)
            if fault.overcome and phase is not account.phases[1]:
                continue  # the way that was found is gone at once
            assert set(grown) == {fault.reason}
            assert not all(each.up for each in phase.seen) if fault.overcome else not last.up


@every_fault
def test_the_neighbour_is_untouched(seen: Play, fault: Fault) -> None:
    """Where the whole account is concerned, the neighbours are those on all others, which the other tests look at."""
    for before, phase in with_predecessors(seen.accounts[fault.id]):
        known = before.neighbour[-1].neighbours
        for beside in phase.neighbour:
            numbers = range(1, beside.neighbours + 1) if fault.account_wide else (known, beside.neighbours)
            assert beside.items is None or beside.items in [{"active": number} for number in numbers]
            if not fault.account_wide:
                assert beside.up
                assert beside.read_at is not None
                assert beside.at - beside.read_at < MAX_AGE
                assert not any(beside.failures.values())
        if not fault.account_wide:
            assert phase.neighbour[-1].items == {"active": phase.neighbour[-1].neighbours}


@every_fault
def test_the_next_refresh_after_the_fault_is_whole(seen: Play, fault: Fault) -> None:
    for before, phase in with_predecessors(seen.accounts[fault.id], broken=False):
        last = phase.seen[-1]
        if fault.held > SCRAPE_TIMEOUT:
            assert phase.asked == 0, "nothing is sent while the API has asked to wait"
            continue
        assert last.up
        assert last.items == true_counts(fault)
        assert phase.asked > 0
        # One refresh may have been under way when the fault ended; of those that begin later none fails.
        failed = sum(last.failures.values()) - sum(before.seen[-1].failures.values())
        assert failed <= 1 or fault.held


@every_fault
def test_no_connection_is_left(seen: Play, fault: Fault) -> None:
    sockets = seen.accounts[fault.id].sockets
    assert len(sockets) == ROUNDS + 1
    assert max(sockets) <= SOCKETS_PER_ACCOUNT


def test_every_scrape_is_answered_in_time(seen: Play) -> None:
    assert statistics.median(seen.took) < SCRAPE_TIMEOUT
    assert max(seen.took) < 2 * SCRAPE_TIMEOUT, "more than a busy machine adds to single ones"


def test_no_task_and_no_socket_is_left(seen: Play) -> None:
    assert len(seen.tasks) == ROUNDS + 1
    assert max(seen.tasks) == seen.tasks[0], seen.tasks
    assert max(seen.sockets) <= len(FAULTS) * SOCKETS_PER_ACCOUNT + OTHER_SOCKETS, seen.sockets


def test_memory_is_bounded(seen: Play) -> None:
    assert seen.peak < MEMORY


def test_the_log_is_short_and_has_no_traceback(seen: Play) -> None:
    assert not [line for line in seen.log if "Traceback" in line]
    lines = [json.loads(line) for line in seen.log]  # all of them are lines of ours
    urgent = [line for line in lines if line["level"] != "info"]
    assert len(urgent) <= WARNINGS, urgent
    assert not [line for line in urgent if line["level"] == "error"]
    assert seen.status == 0


def true_counts(fault: Fault) -> dict[str, int]:
    """What the list of the fault's environment really holds."""
    return dict(Counter(str(each["state"]) for each in fault.items))


def with_predecessors(account: Account, *, broken: bool | None = None) -> list[tuple[Phase, Phase]]:
    """Each phase of this kind, with the one before."""
    assert len(account.phases) == 2 * ROUNDS + 1
    pairs = zip(account.phases, account.phases[1:], strict=False)
    return [pair for pair in pairs if broken in (None, pair[1].broken)]
