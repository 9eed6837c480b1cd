"""Alerts on the exporter itself."""

from collections.abc import Iterator

from exporter.mixin.labels import TARGET
from exporter.mixin.promql import duration, spoken
from exporter.mixin.rules.annotations import COUNT, EXPORTER_NAME
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds

WITH_COUNTS = 'qoder_work_items{state="queued"}'
"""There for every environment whose counts are shown now."""


def alerts(thresholds: Thresholds) -> Iterator[Alert]:
    """The alerts on the exporter."""
    gap = duration(thresholds.scrape_gap)
    yield Alert(
        name="QoderWorkConfigReloadFailed",
        symptom="config",
        severity="warning",
        expr=(f"min by (job, instance) (last_over_time(qoder_exporter_config_last_reload_successful[{gap}])) == 0"),
        pending=thresholds.reload_failed_for,
        labels=TARGET,
        summary="The exporter runs with an old configuration because the new one has an error.",
        description=(
            f"Exporter {EXPORTER_NAME}: the last reload of the configuration failed, and a restart would fail too. "
            "Look first at what qoder-work-exporter check says about the file."
        ),
        board="exporter",
    )
    histograms = " and on (job, instance) ".join(
        f"last_over_time({series}[{gap}])"
        for series in ("qoder_work_queue_wait_seconds_count", "qoder_work_queue_wait_seconds_bucket")
    )
    yield Alert(
        name="QoderWorkHistogramsMissing",
        symptom="config",
        severity="warning",
        expr=(
            f"count by (job, instance) (last_over_time({WITH_COUNTS}[{gap}]))\nunless on (job, instance) ({histograms})"
        ),
        pending=thresholds.histograms_missing_for,
        labels=TARGET,
        summary="Prometheus does not store the histograms, so alerts on waiting work cannot fire.",
        description=(
            f"Exporter {EXPORTER_NAME}: {COUNT} environments are read, and the buckets or counts of their waits are "
            "not stored. Look first at whether the scraper converts classic histograms or drops them, or "
            "metrics.histograms leaves them out."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkCheckpointFailing",
        symptom="checkpoint",
        severity="warning",
        expr="max by (job, instance) (increase(qoder_exporter_checkpoint_failures_total[15m])) > 0",
        pending=thresholds.checkpoint_failing_for,
        labels=TARGET,
        summary="The exporter cannot save its progress.",
        description=(
            f"Exporter {EXPORTER_NAME}: saving the checkpoint failed {COUNT} times in 15 min, and has for more than "
            f"{spoken(thresholds.checkpoint_failing_for)}. Nothing is wrong until it restarts: then it reads the "
            "history again and its counters start at 0. Look first at the disk and the permissions of the file."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkExporterDown",
        symptom="exporter",
        severity="warning",
        expr=(
            "max by (job, instance) (max_over_time(up[5m])) == 0\n"
            "and on (job, instance)\n"
            "group by (job, instance) (last_over_time(qoder_exporter_build_info[3d]))"
        ),
        pending=thresholds.exporter_down_for,
        labels=TARGET,
        summary="One of the exporters cannot be scraped.",
        description=(
            f"Exporter {EXPORTER_NAME} has not answered Prometheus for more than 5 min. Look first at whether its "
            "process runs, then at the error on the targets page of Prometheus."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkExporterAbsent",
        symptom="exporter",
        severity="critical",
        expr="absent_over_time(qoder_exporter_build_info[5m]) > 0",
        pending=thresholds.exporter_absent_for,
        labels=(),
        summary="No exporter is scraped, so nobody watches any queue.",
        description=(
            "Prometheus has not scraped any qoder-work-exporter for more than 5 min. Look first at the targets page of "
            "Prometheus: the target is missing there, or down."
        ),
        board="fleet",
    )
