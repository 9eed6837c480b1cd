"""From when on something is a problem: the numbers that alerts, dashboards and pages judge by, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Literal

import msgspec

from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK

Unit = Literal["seconds", "items", "times", "share", "factor"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a threshold has its default.

    Attributes:
        unit: What the number counts; a share lies between 0 and 1, a factor multiplies the rate that would use up the
            error budget exactly at the end of the objective's period.
        why: What the number means and why it is this one.
    """

    unit: Unit
    why: str


def _of(default: float, unit: Unit, why: str) -> float:
    value: float = field(default=default, metadata={"reason": Reason(unit, why)})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The numbers in the rules. Names that end in ``_for`` say how long a condition must hold before it alerts."""

    scrape_gap: float = _of(
        180, "seconds", "A value is carried over missing scrapes this long: two lost scrapes at one per minute."
    )
    settle: float = _of(
        180,
        "seconds",
        "After an outage, ages are judged again after this time: workers have renewed their leases.",
    )

    no_workers_wait: float = _of(
        540, "seconds", "A worker scaled up from zero has started by then, including a new node and its images."
    )
    no_workers_for: float = _of(60, "seconds", "More than one refresh has seen it.")
    idle_window: float = _of(
        600, "seconds", "Nothing was acknowledged in this time. The only sign of idle workers without a Worker-ID."
    )
    beating_within: float = _of(
        120, "seconds", "An item whose heartbeat is younger belongs to a live worker. Must be a bucket bound."
    )
    growing_window: float = _of(
        900, "seconds", "The queue is compared with its length this long ago: one that shrank is draining."
    )
    growing_items: float = _of(3, "items", "Growth by fewer items may be one user; QoderWorkQueueStalled sees those.")
    growing_for: float = _of(60, "seconds", "More than one refresh has seen it.")
    queue_stalled_age: float = _of(
        900, "seconds", "Three times the objective's wait: somebody has waited for a session for minutes."
    )
    queue_stalled_for: float = _of(
        60, "seconds", "The age itself is the proof; this only requires more than one refresh."
    )
    backlog_age: float = _of(300, "seconds", "The objective's wait: below it a backlog has no impact.")
    backlog_horizon: float = _of(
        7200, "seconds", "A backlog that will not drain within two hours at the current rate needs more workers."
    )
    backlog_for: float = _of(2700, "seconds", "A burst is submitted by then, and the queue visibly drains.")

    objective_wait: float = _of(
        300, "seconds", "An item acknowledged later than this is late. Must be a bucket bound of the wait histogram."
    )
    objective_share: float = _of(
        0.99, "share", "The share of items that must not be late: one in a hundred is the error budget of 30 days."
    )
    objective_late_items: float = _of(
        5, "items", "Fewer late items in the longer window never alert: with little traffic one item is a large share."
    )
    burn_fast_short: float = _of(14.4, "factor", "Over 1 h (and 5 min): 2 % of the budget of 30 days in one hour.")
    burn_fast_long: float = _of(6, "factor", "Over 6 h (and 30 min): 5 % of the budget in six hours.")
    burn_slow_short: float = _of(3, "factor", "Over 1 d (and 2 h): 10 % of the budget in a day.")
    burn_slow_long: float = _of(1, "factor", "Over 3 d (and 6 h): the budget will just be used up.")
    burn_fast_for: float = _of(
        2700,
        "seconds",
        "A burst is submitted by then, and its queue shrinks; one that does not needs more workers.",
    )
    burn_slow_for: float = _of(900, "seconds", "A ticket can wait a quarter of an hour for certainty.")

    heartbeat_late: float = _of(
        120,
        "seconds",
        "Workers usually ask for a lease of 60 s and renew it every 30 s: two leases have been missed.",
    )
    heartbeat_late_for: float = _of(60, "seconds", "A worker that pauses, for instance to collect garbage, recovers.")
    heartbeat_lost: float = _of(
        600, "seconds", "The API clamps every lease to 600 s at most: no lease can still be alive."
    )
    heartbeat_lost_for: float = _of(60, "seconds", "Time for the API to give the item to another worker.")
    startup_stuck: float = _of(
        600, "seconds", "Start-up takes seconds. Items acknowledged without any heartbeat stay until they are stopped."
    )
    startup_stuck_for: float = _of(60, "seconds", "More than one refresh has seen it.")
    drain_overdue: float = _of(
        900, "seconds", "A worker learns of the stop at its next heartbeat, 600 s away at most, and then has minutes."
    )
    drain_overdue_for: float = _of(60, "seconds", "More than one refresh has seen it.")
    vanished_items: float = _of(
        3, "items", "In an hour. The API documents no way for a live item to disappear; one may be a deleted session."
    )
    requeued_items: float = _of(5, "items", "In an hour, at least; fewer are normal when one worker dies.")
    requeued_share: float = _of(
        0.1, "share", "Of what was created in the hour: one item in ten is started more than once."
    )

    unreadable_for: float = _of(900, "seconds", "An item that was being written when it was read is complete by then.")
    disputed_for: float = _of(900, "seconds", "The list has been read again by then, and they still disagree.")
    corrections: float = _of(2, "times", "In a day. Once can happen; more has a lasting cause.")

    environment_down_share: float = _of(
        0.5, "share", "Less than this share of refreshes succeeded in 5 min; one failed scrape is no outage."
    )
    environment_down_for: float = _of(
        180,
        "seconds",
        "On top of the minutes in which the share falls: retries and short API outages are over by then.",
    )
    environment_refused_for: float = _of(600, "seconds", "Access that was just granted or changed has settled.")
    environment_gone_for: float = _of(600, "seconds", "A configuration that is being edited is complete by then.")
    nothing_watched_for: float = _of(600, "seconds", "The same, and two discoveries at the default interval of 5 min.")
    api_down_for: float = _of(60, "seconds", "Less than for one environment, so that one alert comes before many.")
    token_refused_share: float = _of(0.5, "share", "More than this share of an account's requests got a 401 in 5 min.")
    token_refused_for: float = _of(120, "seconds", "A rotated token file has been read again by then.")
    redundancy_lost_for: float = _of(600, "seconds", "An exporter of a pair that was restarted has caught up.")
    history_incomplete_for: float = _of(
        3600, "seconds", "At ten pages per second 3,600,000 items of history have been read in this time."
    )
    snapshot_stale_age: float = _of(
        300, "seconds", "Five times the default max_staleness, after which data are withheld."
    )
    snapshot_stale_for: float = _of(120, "seconds", "More than one refresh could have finished.")

    api_slow_seconds: float = _of(
        2.5, "seconds", "One request in ten takes longer: four round trips do not fit into a scrape any more."
    )
    api_slow_for: float = _of(900, "seconds", "A slow quarter of an hour is not transient.")
    throttled_share: float = _of(0.05, "share", "Of an account's requests: retries no longer hide it.")
    throttled_for: float = _of(900, "seconds", "Bursts of other clients are over by then.")
    client_restarts: float = _of(2, "times", "In an hour; one may be a network that was changed.")
    clock_skew: float = _of(10, "seconds", "Far above what a synchronised clock shows; ages are corrected from 2 s on.")
    clock_skew_for: float = _of(900, "seconds", "Time for NTP to step in after a resume.")
    discovery_failing_for: float = _of(900, "seconds", "Three discoveries at the default interval of 5 min.")
    reload_failed_for: float = _of(600, "seconds", "Time to fix the file while editing it.")
    histograms_missing_for: float = _of(900, "seconds", "A scraper that is being replaced has settled.")
    checkpoint_failing_for: float = _of(900, "seconds", "A full disk has been cleaned up by then.")
    exporter_absent_for: float = _of(60, "seconds", "On top of 5 min in which no exporter was seen.")
    exporter_down_for: float = _of(180, "seconds", "On top of 5 min without a scrape: a redeployment is over.")

    def __post_init__(self) -> None:
        """Refuse what no rule could mean.

        Raises:
            ValueError: A number is not positive, a share is above 1, or a bound is not one of the buckets' bounds.
        """
        for name, reason in REASONS.items():
            value = getattr(self, name)
            if not isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value:g}")
            if value <= 0:
                raise ValueError(f"{name} must be above 0, not {value:g}")
            if reason.unit == "share" and value >= 1:
                raise ValueError(f"{name} must be a share below 1, not {value:g}")
        for name, bounds in BOUNDS.items():
            if getattr(self, name) not in bounds:
                allowed = ", ".join(f"{bound:g}" for bound in bounds)
                raise ValueError(f"{name} must be one of the bucket bounds {allowed}, not {getattr(self, name):g}")


REASONS: Mapping[str, Reason] = {item.name: item.metadata["reason"] for item in fields(Thresholds)}
"""The reason of every threshold, by its name."""

BOUNDS: Mapping[str, tuple[float, ...]] = {
    "beating_within": SECONDS_TO_A_WEEK,
    "objective_wait": SECONDS_TO_A_WEEK,
    "api_slow_seconds": REQUEST_SECONDS,
}
"""The thresholds that a histogram must be able to tell, with its bucket bounds."""


def decode(values: object) -> Thresholds:
    """Turn a mapping of names to numbers, as YAML gives it, into thresholds; what is not named keeps its default.

    Raises:
        TypeError: It is no mapping.
        ValueError: A name is unknown.
        msgspec.ValidationError: A value is no number, or out of range.
    """
    if not isinstance(values, Mapping):
        raise TypeError("thresholds must be a mapping of names to numbers")
    if unknown := sorted(set(map(str, values)) - set(REASONS)):
        raise ValueError(f"unknown thresholds: {', '.join(unknown)}")
    return msgspec.convert(values, Thresholds)
