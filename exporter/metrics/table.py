"""Every metric the exporter exposes, on one screen: name, type, labels, unit and help text.

This is the public surface. The collector takes names and help texts from here, and the documentation, the rules
and the dashboards are checked against it.
"""

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["gauge", "counter", "histogram", "gaugehistogram"]

ENVIRONMENT = ("environment_id", "environment")
"""Labels of every series that belongs to one environment: its ID, and its display name."""


@dataclass(frozen=True, slots=True, eq=False)  # each is unique, and the key of many mappings
class MetricSpec:
    """One metric family as users see it.

    Attributes:
        name: The name to query, with ``_total`` for counters.
        type: The OpenMetrics type.
        labels: The label names, without ``le`` and without configured metadata labels.
        help: One or two sentences that an operator understands.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names of the series this family has in Prometheus."""
        match self.type:
            case "histogram":
                return tuple(self.name + suffix for suffix in ("_bucket", "_count", "_sum"))
            case "gaugehistogram":
                return tuple(self.name + suffix for suffix in ("_bucket", "_gcount", "_gsum"))
            case _:
                return (self.name,)


def _work(name: str, type_: MetricType, help_: str, *labels: str) -> MetricSpec:
    return MetricSpec(f"qoder_work_{name}", type_, (*ENVIRONMENT, *labels), help_)


ITEMS = _work(
    "items",
    "gauge",
    "Work items now in this state. The five known states are always present, at 0 too.",
    "state",
)
OLDEST_AGE = _work(
    "oldest_age_seconds",
    "gauge",
    "How long the item that has been longest in this state has been in it. 0 if the state is empty.",
    "state",
)
OLDEST_QUEUED_TIMESTAMP = _work(
    "oldest_queued_timestamp_seconds",
    "gauge",
    "Unix time at which the oldest queued item was created. Absent if nothing is queued.",
)
QUEUE_AGE = _work(
    "queue_age_seconds",
    "gaugehistogram",
    "Ages of the items queued now. A snapshot, not a counter: never apply rate() to it.",
)
MAX_HEARTBEAT_LAG = _work(
    "max_heartbeat_lag_seconds",
    "gauge",
    "Longest time since the last heartbeat among active and stopping items; an item without a heartbeat counts "
    "from its start. 0 if there are none.",
)
OLDEST_HEARTBEAT_TIMESTAMP = _work(
    "oldest_heartbeat_timestamp_seconds",
    "gauge",
    "Unix time from which qoder_work_max_heartbeat_lag_seconds is counted. Absent if no item is active or stopping.",
)
HEARTBEAT_LAG = _work(
    "heartbeat_lag_seconds",
    "gaugehistogram",
    "Time since the last heartbeat of every item active or stopping now. A snapshot: never apply rate() to it.",
)
UNREADABLE_ITEMS = _work(
    "unreadable_items",
    "gauge",
    "Items with a required field that could not be read; qoder_work_items counts them under the state they give, "
    "or other; those without an ID are only counted here.",
)
COUNTS_DISPUTED = _work(
    "counts_disputed",
    "gauge",
    "1 while the API's own statistics contradict the counts, which are then read again; else 0.",
)
QUEUE_DEPTH = _work(
    "queue_depth",
    "gauge",
    "Queued items that a worker could claim now, by the API's own statistics. Absent if the API reports none.",
)
QUEUE_PENDING = _work(
    "queue_pending",
    "gauge",
    "Queued items delivered to a worker and not acknowledged yet, by the API's own statistics.",
)
WORKERS_POLLING = _work(
    "workers_polling",
    "gauge",
    "Workers that polled recently, by the API's own statistics. Workers that send no Worker-ID are not counted.",
)
CREATED = _work("created_total", "counter", "Work items created since the exporter began to watch.")
STOPPED = _work("stopped_total", "counter", "Work items stopped since the exporter began to watch.")
REQUEUED = _work(
    "requeued_total", "counter", "Work items observed going back to queued: their worker was lost or gave them up."
)
VANISHED = _work("vanished_total", "counter", "Live work items that disappeared from the API.")
CORRECTIONS = _work(
    "corrections_total",
    "counter",
    "Items whose count was found wrong when a part of the list was read again, and was corrected. 0 if all is well.",
)
QUEUE_WAIT = _work(
    "queue_wait_seconds", "histogram", "Time from a work item's creation to a worker's acknowledgement, once per item."
)
STARTUP = _work("startup_seconds", "histogram", "Time from acknowledgement to the first heartbeat, once per item.")
RUN = _work("run_seconds", "histogram", "Time from the first heartbeat to the stop, once per item.")
DRAIN = _work("drain_seconds", "histogram", "Time from the stop request to the stop, once per item.")
UP = _work("up", "gauge", "1 if the last refresh of this environment succeeded, else 0.")
HISTORY_COMPLETE = _work(
    "history_complete",
    "gauge",
    "1 once the whole work list has been read; until then the counts and ages that need it are withheld.",
)
SNAPSHOT_TIMESTAMP = _work(
    "snapshot_timestamp_seconds", "gauge", "Unix time at which the data shown for this environment were read."
)
REFRESH_DURATION = _work("refresh_duration_seconds", "gauge", "How long the last refresh of this environment took.")
REFRESH_REQUESTS = _work("refresh_requests", "gauge", "API requests the last refresh of this environment made.")
REFRESH_FAILURES = _work("refresh_failures_total", "counter", "Refreshes of this environment that failed.", "reason")
ENVIRONMENT_INFO = _work("environment_info", "gauge", "1; the account through which an environment is read.", "account")

API_REQUESTS = MetricSpec(
    "qoder_api_requests_total",
    "counter",
    ("account", "endpoint", "code"),
    "Requests sent to the API, by status code; code is error if no response arrived.",
)
API_REQUEST_DURATION = MetricSpec(
    "qoder_api_request_duration_seconds",
    "histogram",
    ("account", "endpoint"),
    "Time from sending a request to the API to the end of the response.",
)
API_RETRIES = MetricSpec(
    "qoder_api_retries_total", "counter", ("account", "reason"), "Requests sent again after a transient error."
)
API_PACED = MetricSpec(
    "qoder_api_paced_seconds_total",
    "counter",
    ("account",),
    "Time requests waited to keep to the configured rate, summed over all requests.",
)
API_CLOCK_SKEW = MetricSpec(
    "qoder_api_clock_skew_seconds", "gauge", ("account",), "The API's clock minus this machine's clock."
)
API_CLIENT_RESTARTS = MetricSpec(
    "qoder_api_client_restarts_total",
    "counter",
    ("account",),
    "HTTP clients replaced because no response arrived any more. 0 if all is well.",
)
BUILD_INFO = MetricSpec(
    "qoder_exporter_build_info",
    "gauge",
    ("version", "revision", "python"),
    "1; the exporter's version, the commit it was built from, and Python's version.",
)
ENVIRONMENTS = MetricSpec("qoder_exporter_environments", "gauge", ("account",), "Environments watched.")
DISCOVERY_UP = MetricSpec(
    "qoder_exporter_discovery_up",
    "gauge",
    ("account",),
    "1 if the last discovery of the account's environments succeeded, else 0.",
)
ENVIRONMENTS_GONE = MetricSpec(
    "qoder_exporter_environments_gone",
    "gauge",
    ("account",),
    "Environments that disappeared from the account in the last 24 hours and are no longer watched.",
)
ENVIRONMENT_CONFLICTS = MetricSpec(
    "qoder_exporter_environment_conflicts",
    "gauge",
    ("account",),
    "Environments that this account can also see, but that are read through an earlier account of the configuration.",
)
DISCOVERY_UNMATCHED = MetricSpec(
    "qoder_exporter_discovery_unmatched_patterns",
    "gauge",
    ("account",),
    "Patterns of discovery.include that matched no environment in the last successful discovery.",
)
LOOP_LAG = MetricSpec(
    "qoder_exporter_loop_lag_seconds",
    "gauge",
    (),
    "Longest time the event loop was blocked recently: at least since the last scrape, for any scraper.",
)
CHECKPOINT_TIMESTAMP = MetricSpec(
    "qoder_exporter_checkpoint_last_success_timestamp_seconds",
    "gauge",
    (),
    "Unix time at which the checkpoint was last written, or found current. Absent without a checkpoint.",
)
CHECKPOINT_FAILURES = MetricSpec(
    "qoder_exporter_checkpoint_failures_total",
    "counter",
    (),
    "Writes of the checkpoint that failed. Absent without a checkpoint.",
)
RELOAD_SUCCESSFUL = MetricSpec(
    "qoder_exporter_config_last_reload_successful",
    "gauge",
    (),
    "1 if the configuration was last loaded without an error, else 0.",
)
RELOAD_TIMESTAMP = MetricSpec(
    "qoder_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    (),
    "Unix time at which the configuration was last loaded without an error.",
)

METRICS: tuple[MetricSpec, ...] = tuple(spec for spec in list(globals().values()) if isinstance(spec, MetricSpec))
"""All of them, in the order of the exposition."""
