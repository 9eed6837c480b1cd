"""Alerts on the API as the exporter meets it."""

from collections.abc import Iterator

from exporter.mixin.promql import duration, number, spoken
from exporter.mixin.rules.annotations import ACCOUNT_NAME, COUNT, EXPORTER_NAME, FOR_SECONDS, SHARE
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds


def alerts(thresholds: Thresholds) -> Iterator[Alert]:
    """The alerts on the API."""
    yield from _answers(thresholds)
    yield from _restarts(thresholds)
    yield from _agreement(thresholds)


def _answers(thresholds: Thresholds) -> Iterator[Alert]:
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


def _restarts(thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        name="QoderWorkApiClientRestarting",
        symptom="api",
        severity="warning",
        expr=(
            f"sum by (account) (increase(qoder_api_client_restarts_total[1h])) >= {number(thresholds.client_restarts)}"
        ),
        pending=0,
        labels=("account",),
        summary="Connections to the API hang again and again.",
        description=(
            f"Account {ACCOUNT_NAME}: {COUNT} times within an hour no response arrived any more and the HTTP client "
            "was replaced. Look first at proxies, load balancers and firewalls between the exporter and the API that "
            "drop connections without closing them."
        ),
        board="exporter",
    )


def _agreement(thresholds: Thresholds) -> Iterator[Alert]:
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
        labels=("job", "instance"),
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
        summary="The account's environments cannot be discovered.",
        description=(
            f"Account {ACCOUNT_NAME}: the discovery of its environments has failed for more than "
            f"{spoken(thresholds.discovery_failing_for)}. Environments known before are still watched, new ones are "
            "not. Look first at the exporter's log."
        ),
        board="exporter",
    )
