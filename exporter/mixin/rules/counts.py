"""Alerts on the counts themselves: the exporter doubts them, or cannot read what they are made of."""

from collections.abc import Iterator

from exporter.mixin.labels import BY_ENVIRONMENT, ENVIRONMENT
from exporter.mixin.promql import duration, number, spoken
from exporter.mixin.rules.annotations import COUNT, ENVIRONMENT_NAME
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds


def alerts(thresholds: Thresholds) -> Iterator[Alert]:
    """The alerts on counts."""
    gap = duration(thresholds.scrape_gap)
    yield Alert(
        name="QoderWorkItemsUnreadable",
        symptom="counts",
        severity="warning",
        expr=f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_unreadable_items[{gap}])) > 0",
        pending=thresholds.unreadable_for,
        labels=ENVIRONMENT,
        summary="Some items in the work list cannot be read.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {COUNT} items lack something that is needed, so that ages and waits are "
            "counted without them. Look first at the exporter's log, which names the fields, then at whether the API "
            "has changed and the exporter needs an update."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkCountsDisputed",
        symptom="counts",
        severity="warning",
        expr=f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_counts_disputed[{gap}])) == 1",
        pending=thresholds.disputed_for,
        labels=ENVIRONMENT,
        summary="The API's own statistics contradict the counts.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: the list and the statistics of the API have disagreed for more than "
            f"{spoken(thresholds.disputed_for)}, although the list was read again. Look first at the queue's depth by "
            "the statistics beside the queued items."
        ),
        board="exporter",
    )
    changed = "changes(qoder_work_corrections_total[1d]) - resets(qoder_work_corrections_total[1d])"
    yield Alert(
        name="QoderWorkCountsCorrectedOften",
        symptom="counts",
        severity="warning",
        expr=f"max by ({BY_ENVIRONMENT}) ({changed}) >= {number(thresholds.corrections)}",
        pending=0,
        labels=ENVIRONMENT,
        summary="Counts were found wrong again and again.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {COUNT} times within a day counts were found wrong and corrected. Look "
            "first at whether something deletes or rewrites old items, then report it with the exporter's log."
        ),
        board="exporter",
    )
