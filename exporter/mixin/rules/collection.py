"""Alerts on what the exporter can see: environments it cannot read, and data that are old or missing."""

from collections.abc import Iterator

from exporter.api.errors import REFUSALS
from exporter.mixin.labels import BY_ENVIRONMENT, ENVIRONMENT
from exporter.mixin.promql import duration, number, spoken
from exporter.mixin.rules.annotations import ACCOUNT_NAME, COUNT, ENVIRONMENT_NAME, EXPORTER_NAME, FOR_SECONDS, SHARE
from exporter.mixin.rules.recordings import FAILURES, KNOWN, ON, REFRESHED
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds

REFUSED_SHARE = (
    "sum by (account, job, instance) (\n"
    '    rate(qoder_api_requests_total{code="401"}[5m]) or 0 * rate(qoder_api_requests_total[5m])\n'
    "  )\n"
    "  / sum by (account, job, instance) (rate(qoder_api_requests_total[5m]))"
)
"""The share of refused requests among an account's, by exporter; 0 where none was refused."""

REFUSED = f'{FAILURES}{{reason=~"{"|".join(REFUSALS)}"}} > 0'


def alerts(thresholds: Thresholds) -> Iterator[Alert]:
    """The alerts on reading environments."""
    yield from _incomplete(thresholds)
    yield from _left(thresholds)
    yield from _unmatched(thresholds)
    yield from _unreadable(thresholds)
    yield from _access(thresholds)


def _unreadable(thresholds: Thresholds) -> Iterator[Alert]:
    down = f"{REFRESHED} < {number(thresholds.environment_down_share)}"
    yield Alert(
        name="QoderWorkRedundancyLost",
        symptom="collection",
        severity="warning",
        expr=(
            f"count by ({BY_ENVIRONMENT}) (\n"
            f"  avg_over_time(qoder_work_up[5m]) < {number(thresholds.environment_down_share)}\n"
            ") > 0\n"
            f"and {ON} {REFRESHED} >= {number(thresholds.environment_down_share)}"
        ),
        pending=thresholds.redundancy_lost_for,
        labels=ENVIRONMENT,
        summary="One exporter cannot read an environment that another one can.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {COUNT} of the exporters that watch it cannot read it; another one can, "
            "so its data are still shown. Look first at qoder_work_up by instance, then at that exporter's token and "
            "network."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkEnvironmentRefused",
        symptom="collection",
        severity="warning",
        expr=f"{REFUSED}\nand {ON} {down}",
        pending=thresholds.environment_refused_for,
        labels=(*ENVIRONMENT, "reason"),
        summary="The API refuses to show an environment.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {COUNT} refreshes failed in 10 min for the reason "
            "{{ $labels.reason }}. Look first at whether the environment still exists, is self-hosted, and belongs to "
            "the account whose token the exporter uses."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkEnvironmentDown",
        symptom="collection",
        severity="critical",
        expr=f"{down}\nunless {ON} ({REFUSED})",
        pending=thresholds.environment_down_for,
        labels=("account", *ENVIRONMENT),
        summary="An environment cannot be read, so nobody watches its queue.",
        description=(
            f"Environment {ENVIRONMENT_NAME} of account {ACCOUNT_NAME}: only {SHARE} of the refreshes in 5 min "
            "succeeded. Look first at the reason counted in qoder_work_refresh_failures_total, then at the "
            "exporter's log."
        ),
        board="environment",
    )


def _left(thresholds: Thresholds) -> Iterator[Alert]:
    gap = duration(thresholds.scrape_gap)
    # Together these moments see an environment for a day after it left, and cost four samples instead of a day's data.
    before = " or ".join(f"{KNOWN} offset {moment}" for moment in ("10m", "1h", "6h", "1d"))
    yield Alert(
        name="QoderWorkEnvironmentGone",
        symptom="collection",
        severity="warning",
        expr=f"({before})\nunless on (environment_id) {KNOWN}",
        pending=thresholds.environment_gone_for,
        labels=ENVIRONMENT,
        summary="An environment is no longer watched.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: it was watched within the last day and no exporter shows it any more. "
            "Look first at whether it was deleted, renamed or archived, then at environments, include and exclude in "
            "the exporter's configuration. If it is meant to be gone, the alert ends a day after it left."
        ),
        board="fleet",
    )
    yield Alert(
        name="QoderWorkNothingWatched",
        symptom="access",
        severity="warning",
        expr=(
            f"max by (account) (last_over_time(qoder_exporter_environments[{gap}])) == 0\n"
            f"and on (account) max by (account) (last_over_time(qoder_exporter_discovery_up[{gap}])) == 1"
        ),
        pending=thresholds.nothing_watched_for,
        labels=("account",),
        summary="No environment of an account is watched.",
        description=(
            f"Account {ACCOUNT_NAME}: discovery succeeds and no environment is left to watch. Look first at the "
            "patterns under discovery.include and exclude, then at whether the account has self-hosted environments."
        ),
        board="exporter",
    )


def _unmatched(thresholds: Thresholds) -> Iterator[Alert]:
    gap = duration(thresholds.scrape_gap)
    yield Alert(
        name="QoderWorkDiscoveryPatternUnmatched",
        symptom="discovery",
        severity="warning",
        expr=f"max by (account) (last_over_time(qoder_exporter_discovery_unmatched_patterns[{gap}])) > 0",
        pending=thresholds.nothing_watched_for,
        labels=("account",),
        summary="A pattern of the environments to watch matches none.",
        description=(
            f"Account {ACCOUNT_NAME}: {COUNT} patterns under discovery.include match no environment, so that what they "
            "were meant for is not watched. Look first at the exporter's log, which names them."
        ),
        board="exporter",
    )


def _access(thresholds: Thresholds) -> Iterator[Alert]:
    gap = duration(thresholds.scrape_gap)
    down = f"{REFRESHED} < {number(thresholds.environment_down_share)}"
    yield Alert(
        name="QoderWorkTokenRefusedPartly",
        symptom="access",
        severity="warning",
        expr=(
            f"(\n  {REFUSED_SHARE}\n) > {number(thresholds.token_refused_share)}\n"
            f"unless on (account) min by (account) (\n  {REFUSED_SHARE}\n) > {number(thresholds.token_refused_share)}"
        ),
        pending=thresholds.token_refused_for,
        labels=("account", "job", "instance"),
        summary="The API refuses the token of one exporter and accepts another's.",
        description=(
            f"Account {ACCOUNT_NAME}: {SHARE} of the requests of exporter {EXPORTER_NAME} were answered with 401, so "
            "that it sees nothing; another exporter sees the account. Look first at which token file or secret this "
            "exporter has, and whether it was left out of a rotation."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkApiDown",
        symptom="access",
        severity="critical",
        # Started while the API was down, the exporter does not even know which environments there are.
        expr=(
            f"count by (account) ({down} unless {ON} ({REFUSED})) == count by (account) ({REFRESHED})\n"
            "or (\n"
            f"  max by (account) (last_over_time(qoder_exporter_environments[{gap}])) == 0\n"
            f"  and on (account) max by (account) (last_over_time(qoder_exporter_discovery_up[{gap}])) == 0\n"
            ")"
        ),
        pending=thresholds.api_down_for,
        labels=("account",),
        summary="No environment of an account can be read.",
        description=(
            f"Account {ACCOUNT_NAME}: no environment can be read; {COUNT} are watched. Look first at whether the API "
            "can be reached from the exporter's machine, then at the API's status."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkTokenRefused",
        symptom="access",
        severity="critical",
        # Refused by the exporter that is refused least: the others have an alert of their own.
        expr=f"min by (account) (\n  {REFUSED_SHARE}\n) > {number(thresholds.token_refused_share)}",
        pending=thresholds.token_refused_for,
        labels=("account",),
        summary="The API refuses an account's token.",
        description=(
            f"Account {ACCOUNT_NAME}: {SHARE} of the requests were answered with 401. The token has expired, was "
            "revoked, or belongs to the other region. Look first at when it was issued, and put a new one in its place."
        ),
        board="exporter",
    )


def _incomplete(thresholds: Thresholds) -> Iterator[Alert]:
    gap = duration(thresholds.scrape_gap)
    yield Alert(
        name="QoderWorkHistoryIncomplete",
        symptom="collection",
        severity="warning",
        expr=f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_history_complete[{gap}])) == 0",
        pending=thresholds.history_incomplete_for,
        labels=ENVIRONMENT,
        summary="The work list has still not been read to its end.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: reading the work list for the first time has gone on for more than "
            f"{spoken(thresholds.history_incomplete_for)}, and until it ends the counts and ages that need it are "
            "withheld. Look first at the progress in the exporter's log, then consider history.lookback."
        ),
        board="exporter",
    )
    yield Alert(
        name="QoderWorkSnapshotStale",
        symptom="collection",
        severity="warning",
        expr=(
            f"time() - max by ({BY_ENVIRONMENT}) (max_over_time(qoder_work_snapshot_timestamp_seconds[1d]))\n"
            f"> {number(thresholds.snapshot_stale_age)}\n"
            f"and {ON} {REFRESHED} >= {number(thresholds.environment_down_share)}"
        ),
        pending=thresholds.snapshot_stale_for,
        labels=ENVIRONMENT,
        summary="An environment's data are old although reading it succeeds.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: its last data are {FOR_SECONDS} old, and data older than max_staleness "
            "are withheld. Look first at qoder_work_refresh_duration_seconds and qoder_work_refresh_requests: a "
            "refresh takes too long."
        ),
        board="exporter",
    )
