"""How the last refreshes ended, and the live items as last read."""

from exporter.api.errors import ServerError
from exporter.simulator import Status
from exporter.tracking.outcomes import FAILURES, MAX_TEXT, SUCCESSES, Outcomes, outcome_of
from tests.tracking.harness import Watched


def test_failures_are_kept_longer_than_successes() -> None:
    outcomes = Outcomes()
    for at in range(100):
        failed = at % 10 == 0
        error = ServerError("HTTP 503", endpoint="list", status=503) if failed else None
        outcomes.add(outcome_of(float(at), 0.1, 2, "server" if failed else None, error))
    kept = outcomes.newest_first()
    assert [outcome.at for outcome in kept] == [99, 98, 97, *range(90, -1, -10)]
    assert len(kept) == SUCCESSES + FAILURES


def test_it_says_since_when_refreshes_fail() -> None:
    outcomes = Outcomes()
    error = ServerError("HTTP 503", endpoint="list", status=503)
    for at in (10.0, 20.0):
        outcomes.add(outcome_of(at, 0.1, 2, "server", error))
    assert (outcomes.failing_since, outcomes.failed) == (10.0, 2)
    outcomes.add(outcome_of(30.0, 0.1, 2, None, None))
    assert (outcomes.failing_since, outcomes.failed) == (None, 0)


def test_a_long_text_is_cut() -> None:
    outcome = outcome_of(0.0, 0.1, 2, "internal", ValueError("x" * 10_000))
    assert outcome.text.startswith("ValueError: xxx")
    assert len(outcome.text) == MAX_TEXT


def test_a_failed_refresh_is_on_record_with_the_apis_request_id() -> None:
    with Watched() as watched:
        watched.simulation.create_work(watched.id)
        read_at = watched.refresh().read_at
        fault = watched.simulation.faults.add(Status(status=403, endpoint="list"))
        view = watched.refresh()
        newest, before = view.outcomes[:2]
        assert (newest.reason, newest.status, newest.endpoint) == ("permission", 403, "list")
        assert newest.request_id is not None
        assert before.succeeded
        assert view.failing_since == newest.at
        assert view.read_at == read_at is not None
        watched.simulation.faults.remove(fault)
        assert watched.refresh().failing_since is None


def test_the_live_items_are_shown_as_last_read() -> None:
    with Watched() as watched:
        for state in ("queued", "active", "stopped"):
            watched.simulation.create_work(watched.id, state=state)
        assert watched.tracker.items() == ()
        watched.refresh()
        items = watched.tracker.items()
        assert [item.state for item in items] == ["queued", "active"]
        assert all(item.session_id is not None and item.created is not None for item in items)
        ids = [item.id for item in items]
        assert ids == sorted(ids)
