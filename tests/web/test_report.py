"""Reports: what is shown of a fleet and of its live items."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest

from exporter.metrics.samples import Reload
from exporter.tracking.observation import Observation
from exporter.tracking.view import Conflict, FleetView, GoneEnvironment
from exporter.web import schema
from exporter.web.report import PER_KIND, Reporter
from exporter.web.selection import SORTS, BadSelection, ItemSelection, Selection
from tests.web.fakes import environment, fleet
from tests.web.reports import NOW, Live, failed, fleet_report, item, overview, snapshot_of, succeeded

STUCK = (
    item("work_1", "starting", 1500),
    item("work_2", "queued", 10),
    item("work_3", "active", 3000, heartbeat=1080),
    item("work_4", "active", 30, heartbeat=5),
)


def stuck(**changes: object) -> tuple[FleetView, Live]:
    """A fleet with an environment in which two items are stuck, and a healthy one."""
    bad = environment("gpu", snapshot=snapshot_of(STUCK), read_at=NOW, outcomes=(succeeded(NOW),), **changes)
    good = environment("ci", snapshot=snapshot_of([]), read_at=NOW, outcomes=(succeeded(NOW),))
    return fleet(good, bad), {"env_gpu": STUCK}


def test_an_environment_says_what_is_wrong_in_it_worst_first() -> None:
    report = fleet_report(*stuck())
    assert [(each.name, each.severity) for each in report.environments] == [("gpu", "critical"), ("ci", "ok")]
    assert [(finding.severity, finding.text, finding.alert) for finding in report.environments[0].findings] == [
        ("critical", "1 item has been starting for 25 min without a heartbeat", "QoderWorkStuckStarting"),
        ("critical", "1 item has sent no heartbeat for 18 min", "QoderWorkHeartbeatLost"),
    ]
    assert report.severity == "critical"
    assert report.by_severity == {"critical": 1, "warning": 0, "unknown": 0, "ok": 1}
    assert report.environments[0].items == {"queued": 1, "starting": 1, "active": 2, "stopping": 0, "stopped": 0}
    assert report.environments[0].live == 4


def test_many_items_of_one_kind_are_one_finding_and_do_not_hide_the_others() -> None:
    items = (*(item(f"work_{n:03}", "queued", 5000 + n) for n in range(50)), item("work_999", "starting", 601))
    view = fleet(environment("gpu", snapshot=snapshot_of(items), read_at=NOW, outcomes=(succeeded(NOW),)))
    shown = overview(view, {"env_gpu": items})
    texts = [finding.text for finding in shown.fleet.environments[0].findings]
    assert texts == [
        "50 items, the worst has waited 1 h 24 min",
        "1 item has been starting for 10 min without a heartbeat",
    ]
    ids = [each.work_id for _, each in shown.worst_items]
    assert ids == ["work_049", "work_048", "work_047", "work_999"]
    assert len(ids) == 1 + PER_KIND


def test_a_worst_item_leads_to_its_session_and_says_what_to_do() -> None:
    shown = overview(*stuck())
    identity, found = shown.worst_items[0]
    assert identity.name == "gpu"
    assert (found.work_id, found.session_url) == ("work_1", "https://example.org/sessions/sess_work_1")
    assert "stop the item by force" in found.next_step
    assert found.state_seconds == 1500
    assert found.state_since == datetime.fromtimestamp(NOW - 1500, UTC)


@pytest.mark.parametrize(
    ("link", "session", "url"),
    [
        (None, "sess_1", None),
        ("https://x/{session_id}", None, None),
        ("https://x/{session_id}?a", "a/../b?c#d", "https://x/a%2F..%2Fb%3Fc%23d?a"),
    ],
)
def test_a_session_is_linked_if_it_is_known_how(link: str | None, session: str | None, url: str | None) -> None:
    assert Reporter(session_link=link).session_url(session) == url


def test_items_are_shown_worst_first_as_many_as_asked_for() -> None:
    view, live = stuck()
    reporter = Reporter()

    def ids(selection: ItemSelection) -> tuple[int, list[str]]:
        report = reporter.items(view.environments[1], lambda identity: live[identity.id], selection, (), NOW)
        return report.matching, [each.work_id for each in report.live_items]

    assert ids(ItemSelection()) == (4, ["work_1", "work_3", "work_4", "work_2"])
    assert ids(ItemSelection(limit=1)) == (4, ["work_1"])
    assert ids(ItemSelection(state="active")) == (2, ["work_3", "work_4"])
    assert ids(ItemSelection(work_id="work_4")) == (1, ["work_4"])
    assert ids(ItemSelection(work_id="work_9")) == (0, [])


def test_metadata_are_those_configured_as_labels() -> None:
    items = (msgspec.structs.replace(item("work_1", "queued"), labels=("nightly", "")),)
    view = environment("gpu", snapshot=snapshot_of(items), read_at=NOW)
    report = Reporter().items(view, lambda _: items, ItemSelection(), ("job", "team"), NOW)
    assert report.live_items[0].metadata == {"job": "nightly"}


def test_items_of_an_outage_are_kept_with_their_age() -> None:
    view = environment(
        "gpu", up=False, error="x", snapshot=None, read_at=NOW - 720, outcomes=(failed(NOW),), failing_since=NOW - 700
    )
    report = fleet_report(fleet(view), {"env_gpu": STUCK})
    shown = report.environments[0]
    assert shown.stale
    assert shown.items is None
    assert shown.oldest_queued_seconds is None
    assert shown.age_seconds == 720
    texts = [finding.text for finding in shown.findings]
    assert "1 item has been starting for 25 min without a heartbeat, as of 12 min ago" in texts
    assert "last read 12 min ago, so its counts are withheld" in texts


def test_what_has_not_been_read_is_unknown_and_not_zero() -> None:
    report = fleet_report(fleet(environment("gpu", up=False, history_complete=False)))
    shown = report.environments[0]
    assert shown.severity == report.severity == "unknown"
    assert (shown.items, shown.live, shown.max_heartbeat_lag_seconds, shown.read_at) == (None, None, None, None)


def test_no_environment_at_all_is_not_ok() -> None:
    assert fleet_report(fleet()).severity == "unknown"


def test_a_failure_is_told_in_our_own_words_with_the_request_id() -> None:
    view = environment("gpu", up=False, error="the API's own words", outcomes=(failed(NOW), succeeded(NOW - 60)))
    report = fleet_report(fleet(view))
    failure = report.environments[0].last_failure
    assert failure is not None
    assert (failure.reason, failure.status, failure.request_id, failure.endpoint) == ("server", 503, "req-1", "list")
    assert "own words" not in msgspec.json.encode(report).decode()


def test_a_refused_account_is_critical() -> None:
    report = fleet_report(fleet(environment("gpu", up=False, error="x", outcomes=(failed(NOW, "auth", 401),))))
    assert report.accounts[0].refused
    assert report.severity == "critical"


def test_a_refused_discovery_is_critical_and_a_failed_one_a_warning() -> None:
    for reason, refused, severity in (("auth", True, "critical"), ("server", False, "warning")):
        view = fleet(discovery_error="x")
        account = replace(view.accounts[0], discovery_failure=failed(NOW, reason))
        report = fleet_report(replace(view, accounts=(account,)))
        assert (report.accounts[0].refused, report.severity) == (refused, severity)
        assert report.accounts[0].discovery_failure is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"gone": (GoneEnvironment("env_old", "old", NOW - 7200),)},
        {"unmatched": ("batch-.*",)},
        {"skipped": ("env_odd",)},
        {"conflicts": (Conflict("env_ci", "ci", "first"),)},
    ],
)
def test_what_an_account_misses_is_a_warning(changes: dict[str, Any]) -> None:
    view = fleet(environment("ci", snapshot=snapshot_of([]), read_at=NOW))
    assert fleet_report(view).severity == "ok"
    assert fleet_report(replace(view, accounts=(replace(view.accounts[0], **changes),))).severity == "warning"


def test_a_failed_reload_is_a_warning_with_its_problems() -> None:
    reload = Reload(successful=False, succeeded_at=NOW - 60, problems=("config.yaml:3: scrape: unknown key",))
    report = fleet_report(*stuck(), reload=reload)
    assert report.configuration is not None
    assert report.configuration.problems == ["config.yaml:3: scrape: unknown key"]
    calm = fleet(environment("ci", snapshot=snapshot_of([]), read_at=NOW))
    assert fleet_report(calm, reload=reload).severity == "warning"
    assert fleet_report(calm, reload=Reload(successful=True, succeeded_at=NOW)).severity == "ok"


def test_the_worst_items_are_sought_once_per_reading() -> None:
    view, live = stuck()
    asked: list[str] = []
    reporter = Reporter()

    def items_of(identity: object) -> tuple[Observation, ...]:
        asked.append(identity.id)  # type: ignore[attr-defined]
        return live.get(identity.id, ())  # type: ignore[attr-defined]

    def report(shown: FleetView) -> None:
        reporter.fleet(shown, items_of, Selection(), ready=True, reload=None, now=NOW)

    report(view)
    report(view)
    assert asked == ["env_gpu"]
    report(FleetView(tuple(replace(each, read_at=NOW + 5) for each in view.environments), view.accounts))
    assert asked == ["env_gpu", "env_gpu"]


@pytest.mark.parametrize("moment", [-1e18, -62135596801.0, 0.0, 1e18])
def test_times_that_no_calendar_has_break_nothing(moment: float) -> None:
    items = (msgspec.structs.replace(item("work_1", "queued"), created=moment, read_at=NOW),)
    view = environment("gpu", snapshot=snapshot_of(items), read_at=NOW)
    report = Reporter().items(view, lambda _: items, ItemSelection(), (), NOW)
    assert msgspec.json.decode(msgspec.json.encode(report), type=schema.EnvironmentItems) == report


def test_reports_are_as_the_published_schema_says() -> None:
    report = fleet_report(*stuck(), reload=Reload(successful=False, succeeded_at=NOW, problems=("x",)))
    jsonschema.validate(msgspec.to_builtins(report), msgspec.json.schema(schema.Fleet))
    view, live = stuck()
    items = Reporter().items(view.environments[1], lambda each: live[each.id], ItemSelection(), (), NOW)
    jsonschema.validate(msgspec.to_builtins(items), msgspec.json.schema(schema.EnvironmentItems))


# -- selections -------------------------------------------------------------------------------------------------------


def names(view: FleetView, **query: str) -> list[str]:
    return [each.name for each in fleet_report(view, {}, Selection.parse(query)).environments]


@pytest.fixture
def three() -> FleetView:
    def make(name: str, queued: int, **changes: object) -> object:
        items = [item(f"{name}{n}", "queued", queued) for n in range(queued)]
        return environment(name, snapshot=snapshot_of(items), read_at=NOW - queued, **changes)

    unread = environment("Z", up=False, error="x", outcomes=(failed(NOW),), refresh_duration=None)
    return fleet(make("a", 1, refresh_duration=3.0), make("b", 3, refresh_duration=1.0), unread)  # type: ignore[arg-type]


def test_environments_can_be_sorted_and_what_is_not_known_comes_last(three: FleetView) -> None:
    assert names(three) == ["Z", "a", "b"]
    assert names(three, sort="-severity") == ["a", "b", "Z"]
    assert names(three, sort="name") == ["a", "b", "Z"]
    assert names(three, sort="-name") == ["Z", "b", "a"]
    assert names(three, sort="queued") == ["b", "a", "Z"]
    assert names(three, sort="-queued") == ["a", "b", "Z"]
    assert names(three, sort="cost") == ["a", "b", "Z"]
    assert names(three, sort="age") == ["b", "a", "Z"]
    for sort in SORTS:
        assert sorted(names(three, sort=sort)) == ["Z", "a", "b"]


def test_environments_can_be_searched_and_filtered(three: FleetView) -> None:
    assert names(three, q="Z") == ["Z"]
    assert names(three, q="ENV_") == ["Z", "a", "b"]
    assert names(three, severity="warning") == ["Z"]
    assert names(three, severity="ok") == ["Z", "a", "b"]
    assert fleet_report(three, {}, Selection(search="nothing")).total == 3


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"sort": "size"}, "sort must be one of severity, name,"),
        ({"severity": "bad"}, "severity must be one of critical, warning, unknown, ok"),
        ({"refresh": "-1"}, "refresh must be a number from 0 to 3600"),
        ({"refresh": "1e9"}, "refresh must be a number"),
    ],
)
def test_a_selection_that_makes_no_sense_says_which_does(query: dict[str, str], words: str) -> None:
    with pytest.raises(BadSelection, match=words):
        Selection.parse(query)


@pytest.mark.parametrize("limit", ["-1", "x", "1001", "9" * 5000, "٣", "1.5"])
def test_a_limit_that_makes_no_sense_is_refused(limit: str) -> None:
    with pytest.raises(BadSelection, match="limit must be a number from 0 to 1000"):
        ItemSelection.parse({"limit": limit})


def test_a_link_keeps_the_rest_of_the_selection() -> None:
    selection = Selection.parse({"q": "a b&c", "severity": "warning", "refresh": "60"})
    assert selection.link(sort="queued", descending=True) == "?sort=-queued&q=a+b%26c&severity=warning&refresh=60"
    assert Selection().link() == "?"
