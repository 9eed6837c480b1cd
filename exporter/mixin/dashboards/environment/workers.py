"""The Environment dashboard on the workers."""

from exporter.metrics.table import DRAIN, HEARTBEAT_LAG, ITEMS, QUEUE_WAIT, STARTUP
from exporter.mixin.dashboards.environment.expressions import LAG, POLLING, QUEUED, oldest, quantiles
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import buckets, items, per_environment, rate, work
from exporter.mixin.dashboards.shared import NO_DATA
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import heatmap, timeseries
from exporter.mixin.palette import PURPLE, STATES, WORKERS
from exporter.mixin.rules.recordings import WORKERS_NEEDED

BUSY = 'state=~"starting|active|stopping"'
TAKEN_PER_SECOND = f"sum({per_environment(rate(QUEUE_WAIT, suffix='_count'))})"
LIVE = 'state!="stopped"'


def section(steps: Steps) -> Section:
    """Heartbeats, starting and draining."""
    return Section("Workers", [_heartbeats(steps), _capacity(), _by_metadata(), _transitions(steps)])


def _heartbeats(steps: Steps) -> list[Panel]:
    """How long ago running items had their last heartbeat."""
    return [
        heatmap(
            Text(
                "Time since the last heartbeat",
                "How many running items had their last heartbeat how long ago, at each moment. Healthy is a "
                "band below the workers' interval; worry at a line that climbs out of it: a dead worker.",
                "Nothing runs",
            ),
            buckets(work(HEARTBEAT_LAG, suffix="_bucket")),
            unit="s",
            cell="short",
        ),
        timeseries(
            Text(
                "Longest time without a heartbeat",
                "The worst running item. Healthy is a low sawtooth; a straight climb is a dead worker. Worry "
                "at the dashed lines: late, then beyond any lease.",
                NO_DATA,
            ),
            [Query(LAG, "heartbeat lag")],
            unit="s",
            steps=steps.heartbeat_lag,
            colours={"heartbeat lag": STATES["active"]},
            width=12,
            height=9,
        ),
    ]


def _capacity() -> list[Panel]:
    """Whether there are enough workers."""
    return [
        timeseries(
            Text(
                "Workers needed, busy and polling",
                "Needed is the rules' estimate of the workers that serve the queue within the objective: rate "
                "times run time, plus a share for each queued item. Worry when it stays above busy and polling "
                "together: there are too few workers.",
                "Are the recording rules loaded?",
            ),
            [
                Query(f'sum({WORKERS_NEEDED}{{environment=~"$environment"}})', "needed"),
                Query(f"sum({items(BUSY)})", "busy"),
                Query(POLLING, "polling"),
            ],
            unit="short",
            colours={"needed": PURPLE, "busy": STATES["active"], "polling": WORKERS},
            decimals=0,
            axis="workers",
            width=12,
        ),
        timeseries(
            Text(
                "Time to drain the queue",
                "The queued items, divided by those acknowledged per second: how long the newest one will "
                "wait. Worry when it is longer than your users accept.",
                "Nothing is queued, or nothing is acknowledged",
            ),
            [
                Query(
                    f"{QUEUED} / (sum({per_environment(rate(QUEUE_WAIT, suffix='_count'))}) > 0)",
                    "time to drain",
                )
            ],
            unit="s",
            colours={"time to drain": STATES["queued"]},
            width=12,
        ),
    ]


def _by_metadata() -> list[Panel]:
    """Whose items they are."""
    return [
        timeseries(
            Text(
                "Live items by metadata value",
                "The ten largest groups of items that have not stopped, by the metadata keys that the exporter "
                "exposes as labels (metrics.metadata_labels). One line if there are none. Worry when one group "
                "takes all the workers.",
                NO_DATA,
            ),
            [
                Query(
                    f"topk(10, sum without (environment_id, environment, state) "
                    f"(max without (job, instance) ({work(ITEMS, LIVE)})))",
                    "__auto",
                )
            ],
            unit="short",
            stacked=True,
            decimals=0,
            axis="items",
            width=24,
        ),
    ]


def _transitions(steps: Steps) -> list[Panel]:
    """What should be short."""
    return [
        timeseries(
            Text(
                "Longest in starting and stopping",
                "The item that has been longest in each of these transient states: a straight climb will not "
                "end by itself. Worry at the dashed lines, red for starting and yellow for stopping.",
                NO_DATA,
            ),
            [Query(oldest(state), state) for state in ("starting", "stopping")],
            unit="s",
            steps=steps.passing,
            colours=STATES,
        ),
        quantiles(
            "Start-up time",
            "From the acknowledgement to the first heartbeat. The worker spends it: pulling an image, "
            "preparing a sandbox. Worry when it grows from day to day.",
            STARTUP,
        ),
        quantiles(
            "Drain time",
            "From the stop request to the stop. A worker learns of the request at its next heartbeat. "
            "Worry when it nears the grace period that your platform gives a worker.",
            DRAIN,
        ),
    ]
