"""What each number of a view becomes, and what is absent where nothing is known."""

import platform
from dataclasses import replace
from typing import get_args

import pytest

from exporter import __version__
from exporter.api.errors import REASONS
from exporter.api.requests import Endpoint, RequestCounts
from exporter.histogram import Histogram
from exporter.metrics.labels import label_name
from exporter.metrics.samples import Reload
from exporter.metrics.table import METRICS
from exporter.revision import revision
from exporter.tracking.view import CheckpointView, EnvironmentView, FleetView
from tests.metrics.views import (
    ID,
    NOW,
    account,
    environment,
    fleet,
    histogram,
    lifecycle,
    names,
    of,
    queue,
    samples,
    snapshot,
    stats,
)

ALWAYS = {
    *("qoder_work_up", "qoder_work_history_complete", "qoder_work_environment_info"),
    *("qoder_work_refresh_failures_total", "qoder_work_corrections_total", "qoder_work_counts_disputed"),
}
"""What is shown of an environment before anything is known of it."""
OF_STATS = {"qoder_work_queue_depth", "qoder_work_queue_pending", "qoder_work_workers_polling"}
OF_THE_QUEUE = {
    series
    for spec in METRICS
    for series in spec.series
    if spec.name
    in {
        *("qoder_work_items", "qoder_work_oldest_age_seconds", "qoder_work_oldest_queued_timestamp_seconds"),
        *("qoder_work_queue_age_seconds", "qoder_work_heartbeat_lag_seconds"),
        *("qoder_work_max_heartbeat_lag_seconds", "qoder_work_oldest_heartbeat_timestamp_seconds"),
        "qoder_work_unreadable_items",
    }
}


def shown_of(view: EnvironmentView) -> set[str]:
    """The names of the series an environment has."""
    return {name for name in names(samples(fleet(view))) if name.startswith("qoder_work_")}


def value(found: dict[tuple[str, ...], float]) -> float:
    """The value of the only series."""
    (only,) = found.values()
    return only


def test_every_series_of_an_environment_names_it() -> None:
    found = samples(fleet(environment("gpu"), environment("batch", "env_b")))
    owners = {
        (dict(labels)["environment_id"], dict(labels)["environment"])
        for name, labels in found
        if name.startswith("qoder_work_")
    }
    assert owners == {(ID, "gpu"), ("env_b", "batch")}


def test_two_environments_may_have_one_name() -> None:
    found = samples(fleet(environment("gpu"), environment("gpu", "env_b", up=False)))
    assert {dict(labels)["environment_id"]: up for (name, labels), up in found.items() if name == "qoder_work_up"} == {
        ID: 1,
        "env_b": 0,
    }


def test_items_are_counted_by_state() -> None:
    counts = {("queued",): 3, ("starting",): 0, ("active",): 2, ("stopping",): 0, ("stopped",): 40}
    assert of(samples(fleet()), "qoder_work_items") == counts


def test_items_are_counted_by_state_and_metadata() -> None:
    counts = {("queued", ("a", "")): 1, ("queued", ("b", "red")): 2, ("stopped", ("", "")): 0}
    found = samples(fleet(environment(snapshot=snapshot(queue=queue(counts=counts))), keys=("job-name", "team")))
    assert {labels: count for (name, labels), count in found.items() if name == "qoder_work_items"} == {
        frozenset(
            {"environment_id": ID, "environment": "gpu-workers", "state": state, "job_name": job, "team": team}.items()
        ): count
        for (state, (job, team)), count in counts.items()
    }


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("job", "metadata_job"),
        ("instance", "metadata_instance"),
        ("quantile", "metadata_quantile"),
        ("le", "metadata_le"),
        ("jobs", "jobs"),
        ("job-name", "job_name"),
        ("app.kubernetes.io/name", "app_kubernetes_io_name"),
        ("8ball", "_8ball"),
        ("Größe", "Gr__e"),
        ("a b\n", "a_b_"),
        ("任务", "__"),
    ],
)
def test_a_metadata_key_becomes_a_label_that_prometheus_takes(key: str, label: str) -> None:
    assert label_name(key) == label


def test_ages_and_lags_are_the_queues() -> None:
    found = samples(fleet())
    assert of(found, "qoder_work_oldest_age_seconds") == {
        ("queued",): 120.5,
        ("starting",): 0,
        ("active",): 30,
        ("stopping",): 0,
    }
    assert value(of(found, "qoder_work_oldest_queued_timestamp_seconds")) == NOW - 120.5
    assert value(of(found, "qoder_work_max_heartbeat_lag_seconds")) == 12.25
    assert value(of(found, "qoder_work_oldest_heartbeat_timestamp_seconds")) == NOW - 12.25


def test_gauge_histograms_are_cumulative_with_count_and_sum() -> None:
    found = samples(fleet())
    buckets = of(found, "qoder_work_queue_age_seconds_bucket")
    assert [buckets[bound,] for bound in ("1.0", "2.0", "5.0", "120.0", "300.0", "604800.0", "+Inf")] == [
        *(1, 1, 2, 2, 3, 3, 3)
    ]
    assert value(of(found, "qoder_work_queue_age_seconds_gcount")) == 3
    assert value(of(found, "qoder_work_queue_age_seconds_gsum")) == 125
    assert value(of(found, "qoder_work_heartbeat_lag_seconds_gcount")) == 2
    assert value(of(found, "qoder_work_heartbeat_lag_seconds_gsum")) == 15.25


def test_an_empty_queue_has_its_zeros_and_no_times() -> None:
    empty = queue(
        counts={("queued", ()): 0},
        oldest_age=dict.fromkeys(("queued", "starting", "active", "stopping"), 0.0),
        oldest_queued_at=None,
        queue_age=Histogram(),
        max_heartbeat_lag=0.0,
        oldest_heartbeat_at=None,
        heartbeat_lag=Histogram(),
    )
    found = samples(fleet(environment(snapshot=snapshot(queue=empty, stats=None))))
    assert value(of(found, "qoder_work_items")) == 0
    assert set(of(found, "qoder_work_oldest_age_seconds").values()) == {0}
    assert value(of(found, "qoder_work_max_heartbeat_lag_seconds")) == 0
    assert set(of(found, "qoder_work_queue_age_seconds_bucket").values()) == {0}
    assert value(of(found, "qoder_work_queue_age_seconds_gcount")) == 0
    assert not {name for name in names(found) if name.startswith("qoder_work_oldest") and "timestamp" in name}


def test_statistics_are_the_apis() -> None:
    found = samples(fleet())
    assert [value(of(found, name)) for name in sorted(OF_STATS)] == [2, 1, 4]


@pytest.mark.parametrize("field", ["depth", "pending", "workers_polling"])
def test_a_statistic_that_the_api_does_not_give_is_absent(field: str) -> None:
    (name,) = (name for name in OF_STATS if name.endswith(field))
    shown = shown_of(environment(snapshot=snapshot(stats=stats(**{field: None}))))
    assert OF_STATS - shown == {name}


def test_without_statistics_the_queue_is_shown_alone() -> None:
    shown = shown_of(environment(snapshot=snapshot(stats=None)))
    assert not shown & OF_STATS
    assert shown >= OF_THE_QUEUE | {"qoder_work_snapshot_timestamp_seconds"}


def test_until_the_list_is_complete_the_statistics_are_shown_alone() -> None:
    view = environment(history_complete=False, lifecycle=None, snapshot=snapshot(queue=None))
    found = samples(fleet(view))
    assert value(of(found, "qoder_work_history_complete")) == 0
    assert of(found, "qoder_work_oldest_age_seconds") == {("queued",): 120.5}
    assert value(of(found, "qoder_work_oldest_queued_timestamp_seconds")) == NOW - 120.5
    assert value(of(found, "qoder_work_snapshot_timestamp_seconds")) == NOW
    assert shown_of(view) - ALWAYS == OF_STATS | {
        "qoder_work_oldest_age_seconds",
        "qoder_work_oldest_queued_timestamp_seconds",
        "qoder_work_snapshot_timestamp_seconds",
        "qoder_work_refresh_duration_seconds",
        "qoder_work_refresh_requests",
    }


def test_statistics_of_an_empty_queue_have_no_time() -> None:
    empty = stats(oldest_queued_at=None, oldest_queued_age=0.0)
    view = environment(history_complete=False, lifecycle=None, snapshot=snapshot(queue=None, stats=empty))
    found = samples(fleet(view))
    assert of(found, "qoder_work_oldest_age_seconds") == {("queued",): 0}
    assert "qoder_work_oldest_queued_timestamp_seconds" not in names(found)


def test_a_snapshot_without_data_has_no_time() -> None:
    view = environment(history_complete=False, lifecycle=None, snapshot=snapshot(queue=None, stats=None))
    assert "qoder_work_snapshot_timestamp_seconds" not in shown_of(view)


def test_before_the_first_refresh_little_is_shown() -> None:
    view = environment(
        up=False,
        history_complete=False,
        snapshot=None,
        lifecycle=None,
        refresh_duration=None,
        refresh_requests=None,
    )
    assert shown_of(view) == ALWAYS
    assert value(of(samples(fleet(view)), "qoder_work_up")) == 0


def test_a_withheld_snapshot_takes_no_counter_with_it() -> None:
    shown = shown_of(environment(up=False, snapshot=None))
    assert not shown & (OF_THE_QUEUE | OF_STATS)
    assert {"qoder_work_created_total", "qoder_work_queue_wait_seconds_bucket"} <= shown


def test_one_environments_failure_leaves_anothers_series_alone() -> None:
    other = environment("batch", "env_b")
    alone = samples(fleet(other))
    failed = environment(up=False, snapshot=None, lifecycle=None, failures=dict.fromkeys(REASONS, 9))
    beside = samples(fleet(failed, other))
    assert {key: number for key, number in beside.items() if ("environment_id", "env_b") in key[1]} == {
        key: number for key, number in alone.items() if ("environment_id", "env_b") in key[1]
    }


def test_failures_are_counted_by_every_reason() -> None:
    found = of(samples(fleet()), "qoder_work_refresh_failures_total")
    assert found == {(reason,): 2 if reason == "timeout" else 0 for reason in REASONS}


def test_what_the_newest_refresh_cost() -> None:
    found = samples(fleet())
    assert value(of(found, "qoder_work_refresh_duration_seconds")) == 0.25
    assert value(of(found, "qoder_work_refresh_requests")) == 3


def test_what_has_happened_since_the_watch_began() -> None:
    found = samples(fleet())
    counters = {name: value(of(found, f"qoder_work_{name}_total")) for name in ("created", "stopped", "requeued")}
    assert counters == {"created": 45, "stopped": 40, "requeued": 2}
    assert value(of(found, "qoder_work_vanished_total")) == 1
    for name in ("queue_wait", "startup", "run", "drain"):
        assert value(of(found, f"qoder_work_{name}_seconds_count")) == 1
        assert value(of(found, f"qoder_work_{name}_seconds_sum")) == 7
        buckets = of(found, f"qoder_work_{name}_seconds_bucket")
        assert [buckets[bound,] for bound in ("5.0", "10.0", "+Inf")] == [0, 1, 1]


def test_durations_are_told_apart() -> None:
    seen = replace(
        lifecycle(), wait=histogram(1), startup=histogram(2, 2), run=histogram(3, 3, 3), drain=histogram(4, 4, 4, 4)
    )
    found = samples(fleet(environment(lifecycle=seen)))
    counts = [
        value(of(found, f"qoder_work_{name}_seconds_count")) for name in ("queue_wait", "startup", "run", "drain")
    ]
    assert counts == [1, 2, 3, 4]


def test_wrong_unreadable_and_disputed_counts_are_shown() -> None:
    found = samples(fleet(environment(corrections=4, unreadable=2, disputed=True)))
    shown = {name: value(of(found, f"qoder_work_{name}")) for name in ("corrections_total", "unreadable_items")}
    assert shown == {"corrections_total": 4, "unreadable_items": 2}
    assert value(of(found, "qoder_work_counts_disputed")) == 1
    assert value(of(samples(fleet()), "qoder_work_counts_disputed")) == 0


def test_an_environment_tells_its_account() -> None:
    info = [labels for name, labels in samples(fleet()) if name == "qoder_work_environment_info"]
    assert info == [
        frozenset({("environment_id", ID), ("environment", "gpu-workers"), ("account", "default")}),
    ]


def test_requests_are_counted_by_endpoint_and_code() -> None:
    found = samples(fleet())
    endpoints = get_args(Endpoint)
    asked = {("200", endpoint): 1 for endpoint in endpoints}
    assert of(found, "qoder_api_requests_total") == asked | {("error", "list"): 1}
    durations = of(found, "qoder_api_request_duration_seconds_count")
    assert durations == {(endpoint,): 1 for endpoint in endpoints} | {("list",): 2}
    assert of(found, "qoder_api_request_duration_seconds_bucket")["list", "5.0"] == 1
    assert value(of(found, "qoder_api_paced_seconds_total")) == 1.5


def test_retries_are_counted_by_every_reason_there_can_be() -> None:
    found = of(samples(fleet()), "qoder_api_retries_total")
    assert found == {("rate_limited",): 0, ("timeout",): 1, ("network",): 0, ("server",): 0}


def test_an_account_that_has_asked_nothing_yet() -> None:
    quiet = account(requests=RequestCounts(), clock_skew=None, discovery_up=None, environments=0)
    found = samples(FleetView((), (quiet,)))
    assert {name for name in names(found) if name.startswith("qoder_api_")} == {
        "qoder_api_retries_total",
        "qoder_api_paced_seconds_total",
        "qoder_api_client_restarts_total",
    }
    assert "qoder_exporter_discovery_up" not in names(found)
    assert of(found, "qoder_exporter_environments") == {(): 0}


@pytest.mark.parametrize("up", [True, False])
def test_discovery_is_up_or_down(up: bool) -> None:
    found = samples(FleetView((), (account(discovery_up=up),)))
    assert value(of(found, "qoder_exporter_discovery_up")) == up


def test_accounts_are_told_apart() -> None:
    found = samples(FleetView((), (account(name="one", clock_skew=1.0), account(name="two", clock_skew=-2.5))))
    skews = {dict(labels)["account"]: skew for (name, labels), skew in found.items() if "clock_skew" in name}
    assert skews == {"one": 1.0, "two": -2.5}


def test_the_versions_are_those_that_run() -> None:
    assert of(samples(fleet()), "qoder_exporter_build_info") == {
        (platform.python_version(), revision(), __version__): 1
    }


def test_replaced_clients_are_counted() -> None:
    found = samples(FleetView((), (account(client_restarts=2),)))
    assert value(of(found, "qoder_api_client_restarts_total")) == 2


@pytest.mark.parametrize(
    ("checkpoint", "shown"),
    [
        (None, {}),
        (CheckpointView(None, 0), {"failures_total": 0}),
        (CheckpointView(NOW, 3), {"failures_total": 3, "last_success_timestamp_seconds": NOW}),
    ],
    ids=["none configured", "not written yet", "written"],
)
def test_how_writing_the_checkpoint_goes(checkpoint: CheckpointView | None, shown: dict[str, float]) -> None:
    found = samples(FleetView((), (), checkpoint=checkpoint))
    prefix = "qoder_exporter_checkpoint_"
    assert {name.removeprefix(prefix): number for (name, _), number in found.items() if name.startswith(prefix)} == (
        shown
    )


@pytest.mark.parametrize("lag", [0.0, 1.5])
def test_the_lag_of_the_loop_is_shown(lag: float) -> None:
    assert value(of(samples(fleet(), loop_lag=lag), "qoder_exporter_loop_lag_seconds")) == lag


def test_without_a_loop_no_lag_is_shown() -> None:
    assert "qoder_exporter_loop_lag_seconds" not in names(samples(fleet(), loop_lag=None))


@pytest.mark.parametrize("successful", [True, False])
def test_the_newest_reload_is_shown(successful: bool) -> None:
    found = samples(fleet(), Reload(successful, NOW - 60))
    assert value(of(found, "qoder_exporter_config_last_reload_successful")) == successful
    assert value(of(found, "qoder_exporter_config_last_reload_success_timestamp_seconds")) == NOW - 60


def test_without_a_configuration_no_reload_is_shown() -> None:
    assert not [name for name in names(samples(fleet(), None)) if "reload" in name]


def test_nothing_of_one_view_is_left_in_the_next() -> None:
    before = samples(fleet())
    assert names(samples(FleetView((), ()))) < names(before)
    assert samples(fleet()) == before
