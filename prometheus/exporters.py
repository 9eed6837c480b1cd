"""Alerts on the API as the exporter meets it, and on the exporter itself."""

from collections.abc import Iterator

from prometheus.model import Alert, Group
from prometheus.promql import duration, number, spoken
from prometheus.texts import ACCOUNT_NAME, EXPORTER_NAME, FOR_SECONDS, SHARE
from prometheus.thresholds import Thresholds

TARGET = ("job", "instance")


def group(thresholds: Thresholds) -> Group:
    """The alerts on the API and the exporter."""
    return Group("qoder-work-exporter", (*_api(thresholds), *_upkeep(thresholds), *_absence(thresholds)))


def _api(thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="QoderWorkApiSlow",
        symptom="api",
        severity="warning",
        expr=(
            "histogram_quantile(\n"
            "  0.9,\n"
            "  sum by (account, le) (rate(qoder_api_request_duration_seconds_bucket[10m]))\n"
            f") > {number(thresholds.api_slow_seconds)}"
        ),
        pending=thresholds.api_slow_for,
        labels=("account",),
        summary="The API answers slowly.",
        description=(
            f"Account {ACCOUNT_NAME}: one request in ten takes {FOR_SECONDS} or longer. Look first at which endpoint "
            "is slow and whether the network between the exporter and the API is."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkApiThrottled",
        symptom="api",
        severity="warning",
        expr=(
            'sum by (account) (rate(qoder_api_requests_total{code=~"429|503"}[10m]))\n'
            "/ sum by (account) (rate(qoder_api_requests_total[10m]))\n"
            f"> {number(thresholds.throttled_share)}"
        ),
        pending=thresholds.throttled_for,
        labels=("account",),
        summary="The API turns requests away.",
        description=(
            f"Account {ACCOUNT_NAME}: {SHARE} of the requests were answered with 429 or 503, as the API's gateway does "
            "under bursts. Look first at what else uses this account, then lower requests_per_second."
        ),
        board="exporter",
    )


def _upkeep(thresholds: Thresholds) -> Iterator[Alert]:
    gap = duration(thresholds.scrape_gap)
    yield Alert(
        name="QoderWorkClockSkewed",
        symptom="clock",
        severity="warning",
        expr=(
            f"max by (job, instance) (abs(last_over_time(qoder_api_clock_skew_seconds[{gap}]))) "
            f"> {number(thresholds.clock_skew)}"
        ),
        pending=thresholds.clock_skew_for,
        labels=TARGET,
        summary="The exporter's clock and the API's clock disagree.",
        description=(
            f"Exporter {EXPORTER_NAME}: its clock is {FOR_SECONDS} away from the API's. Ages are corrected for that, "
            "comparisons with time() are not. Look first at the time synchronisation of the exporter's machine."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkDiscoveryFailing",
        symptom="access",
        severity="warning",
        expr=f"max by (account) (last_over_time(qoder_exporter_discovery_up[{gap}])) == 0",
        pending=thresholds.discovery_failing_for,
        labels=("account",),
        summary="The account's environments cannot be looked up.",
        description=(
            f"Account {ACCOUNT_NAME}: looking up its environments has failed for more than "
            f"{spoken(thresholds.discovery_failing_for)}. Environments known before are still watched, new ones are "
            "not. Look first at the exporter's log."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkConfigReloadFailed",
        symptom="config",
        severity="warning",
        expr=(f"min by (job, instance) (last_over_time(qoder_exporter_config_last_reload_successful[{gap}])) == 0"),
        pending=thresholds.reload_failed_for,
        labels=TARGET,
        summary="The exporter runs with an old configuration because the new one has an error.",
        description=(
            f"Exporter {EXPORTER_NAME}: the newest reload of the configuration failed, and a restart would fail too. "
            "Look first at what qoder-work-exporter check says about the file."
        ),
        board="exporter",
    )


def _absence(thresholds: Thresholds) -> Iterator[Alert]:
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
