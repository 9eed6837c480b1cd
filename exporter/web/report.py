"""What the status page and the JSON API show, made of a view of the fleet and of its live items."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from exporter import __version__, advice
from exporter.metrics.samples import Reload
from exporter.tracking.observation import STATES, STOPPED, Observation
from exporter.tracking.outcomes import Outcome
from exporter.tracking.snapshot import Snapshot
from exporter.tracking.view import AccountView, EnvironmentIdentity, EnvironmentView, FleetView
from exporter.web import schema
from exporter.web.selection import ItemSelection, Selection
from exporter.web.severity import OK, RANKS, Judges, Verdict, heartbeat_lag, seconds_in_state, spoken, worst

LIVE_STATES = tuple(state for state in STATES if state != STOPPED)

PER_KIND = 3
"""Items of one environment and of one kind of trouble among the fleet's worst items, so that none hides the others."""

ItemsOf = Callable[[EnvironmentIdentity], Sequence[Observation]]

Judged = tuple[Verdict, Observation]


@dataclass(frozen=True, slots=True)
class _Troubles:
    """What the live items of one environment come to, as of one reading.

    Attributes:
        token: Tells readings apart.
        findings: One verdict for each kind of trouble.
        items: The worst items of each kind.
    """

    token: object
    findings: tuple[Verdict, ...] = ()
    items: tuple[Judged, ...] = ()


@dataclass(slots=True)
class Reporter:
    """Makes reports, and remembers per reading which items are the worst, so that a page costs what changed.

    Attributes:
        judges: Say how bad it is.
        session_link: Where a session can be looked at, with ``{session_id}``; None for no links.
    """

    judges: Judges = field(default_factory=Judges)
    session_link: str | None = None
    _troubles: dict[EnvironmentIdentity, _Troubles] = field(default_factory=dict)

    def configure(self, judges: Judges, session_link: str | None) -> None:
        """Go on with other settings; what was found by other thresholds is forgotten."""
        if judges != self.judges:
            self._troubles.clear()
        self.judges, self.session_link = judges, session_link

    # -- the fleet ----------------------------------------------------------------------------------------------------

    def fleet(
        self,
        view: FleetView,
        items_of: ItemsOf,
        selection: Selection,
        *,
        ready: bool,
        reload: Reload | None,
        now: float,
    ) -> schema.Fleet:
        """Everything that is watched, and of the environments those asked for."""
        environments = [self.environment(each, items_of, now) for each in view.environments]
        known = {each.environment for each in view.environments}
        self._troubles = {identity: kept for identity, kept in self._troubles.items() if identity in known}
        accounts = [_account(each, view.environments) for each in view.accounts]
        severities = [each.severity for each in environments]
        if any(account.refused for account in accounts):
            severities.append("critical")
        noticed = any(each.gone or each.conflicts or each.unmatched_patterns or each.skipped for each in accounts)
        undiscovered = any(account.discovery_up is False for account in accounts)
        if noticed or undiscovered or (reload is not None and not reload.successful):
            severities.append("warning")
        if not ready:
            severities.append("unknown")
        return schema.Fleet(
            version=__version__,
            now=_at(now),
            ready=ready,
            severity=min(severities, key=RANKS.__getitem__, default="unknown"),
            total=len(environments),
            by_severity={severity: sum(each.severity == severity for each in environments) for severity in RANKS},
            environments=selection.apply(environments),
            accounts=accounts,
            configuration=None if reload is None else _configuration(reload),
        )

    def worst_items(self, view: FleetView, limit: int) -> list[tuple[EnvironmentIdentity, schema.Item]]:
        """The items beyond a threshold, worst first, a few of each kind; `fleet` must have been called before."""
        judged = (
            (identity, verdict, item) for identity, kept in self._troubles.items() for verdict, item in kept.items
        )
        found = heapq.nsmallest(limit, judged, key=lambda each: (each[1].order, each[2].id))
        return [(identity, self.item(item, verdict, view.metadata_keys)) for identity, verdict, item in found]

    # -- one environment ----------------------------------------------------------------------------------------------

    def environment(self, view: EnvironmentView, items_of: ItemsOf, now: float) -> schema.Environment:
        """One environment without its items."""
        verdicts = [*self.judges.of(view.environment.name).environment(view, now)]
        verdicts += self._troubles_of(view, items_of, now).findings
        verdicts.sort(key=lambda verdict: verdict.order)
        snapshot, queue = view.snapshot, view.snapshot.queue if view.snapshot is not None else None
        stats = snapshot.stats if snapshot is not None else None
        counts = _counts(snapshot)
        failures = (outcome for outcome in view.outcomes if not outcome.succeeded)
        waited = None if stats is None else stats.oldest_queued_age
        return schema.Environment(
            id=view.environment.id,
            name=view.environment.name,
            account=view.environment.account,
            severity=worst(verdicts).severity,
            findings=[_finding(verdict) for verdict in verdicts],
            up=view.up,
            history_complete=view.history_complete,
            history_progress=view.progress,
            read_at=moment(view.read_at),
            age_seconds=None if view.read_at is None else max(0.0, now - view.read_at),
            stale=snapshot is None,
            items=counts,
            live=None if counts is None else sum(count for state, count in counts.items() if state != STOPPED),
            oldest_queued_seconds=waited if queue is None else queue.oldest_age.get("queued", 0.0),
            longest_starting_seconds=None if queue is None else queue.oldest_age.get("starting", 0.0),
            longest_stopping_seconds=None if queue is None else queue.oldest_age.get("stopping", 0.0),
            max_heartbeat_lag_seconds=None if queue is None else queue.max_heartbeat_lag,
            queue_depth=None if stats is None else stats.depth,
            queue_pending=None if stats is None else stats.pending,
            workers_polling=None if stats is None else stats.workers_polling,
            refresh_seconds=view.refresh_duration,
            refresh_requests=view.refresh_requests,
            last_failure=next((refresh(outcome) for outcome in failures), None),
        )

    def items(
        self,
        view: EnvironmentView,
        items_of: ItemsOf,
        selection: ItemSelection,
        keys: Sequence[str],
        now: float,
    ) -> schema.EnvironmentItems:
        """One environment with its live items, worst first."""
        everything = items_of(view.environment)
        wanted = [item for item in everything if _wanted(item, selection)]
        found = heapq.nsmallest(selection.limit, self._judged(view, wanted, everything), key=_worst_first)
        return schema.EnvironmentItems(
            version=__version__,
            now=_at(now),
            environment=self.environment(view, items_of, now),
            refreshes=[refresh(outcome) for outcome in view.outcomes],
            matching=len(wanted),
            live_items=[self.item(item, verdict, keys) for verdict, item in found],
        )

    def item(self, item: Observation, verdict: Verdict, keys: Sequence[str]) -> schema.Item:
        """One item."""
        return schema.Item(
            work_id=item.id,
            session_id=item.session_id,
            session_url=self.session_url(item.session_id),
            state=item.state,
            severity=verdict.severity,
            reason=verdict.reason,
            alert=verdict.alert or None,
            next_step=advice.of_state(item.state).next_step if verdict.severity != "ok" else "",
            state_since=moment(item.state_since),
            state_seconds=seconds_in_state(item),
            heartbeat_lag_seconds=heartbeat_lag(item),
            created_at=moment(item.created),
            acknowledged_at=moment(item.acknowledged),
            started_at=moment(item.started),
            latest_heartbeat_at=moment(item.heartbeat),
            stop_requested_at=moment(item.stop_requested),
            read_at=_at(item.read_at),
            metadata={key: value for key, value in zip(keys, item.labels, strict=False) if value},
        )

    def session_url(self, session_id: str | None) -> str | None:
        """Where a session can be looked at."""
        if session_id is None or self.session_link is None:
            return None
        return self.session_link.replace("{session_id}", quote(session_id, safe=""))

    # -- the worst items ----------------------------------------------------------------------------------------------

    def needs_items(self, view: EnvironmentView) -> bool:
        """Whether a report of the fleet goes through the live items of this environment."""
        kept = self._troubles.get(view.environment)
        return (kept is None or kept.token != _token(view)) and self._suspicious(view)

    def _suspicious(self, view: EnvironmentView) -> bool:
        return view.history_complete and (
            view.snapshot is None or self.judges.of(view.environment.name).suspicious(view.snapshot)
        )

    def _troubles_of(self, view: EnvironmentView, items_of: ItemsOf, now: float) -> _Troubles:
        kept = self._troubles.get(view.environment)
        if kept is None or kept.token != _token(view):
            kept = self._troubles[view.environment] = self._find_troubles(view, items_of, now)
        return kept

    def _find_troubles(self, view: EnvironmentView, items_of: ItemsOf, now: float) -> _Troubles:
        token = _token(view)
        if not self._suspicious(view):
            return _Troubles(token)
        everything = items_of(view.environment)
        judged = (each for each in self._judged(view, everything, everything) if each[0] != OK)
        as_of = "" if view.snapshot is not None or view.read_at is None else f", as of {spoken(now - view.read_at)} ago"
        kinds = defaultdict[tuple[str, str], list[Judged]](list)
        for verdict, item in judged:
            kinds[verdict.severity, verdict.alert].append((verdict, item))
        worst_of = [heapq.nsmallest(PER_KIND, each, key=_worst_first) for each in kinds.values()]
        findings = [_kind(items[0][0], len(each), as_of) for items, each in zip(worst_of, kinds.values(), strict=True)]
        return _Troubles(token, tuple(findings), tuple(each for items in worst_of for each in items))

    def _judged(
        self, view: EnvironmentView, items: Sequence[Observation], everything: Sequence[Observation]
    ) -> Iterator[Judged]:
        """Judge some of an environment's live items."""
        judge = self.judges.of(view.environment.name)
        served = judge.served(view, everything)
        return ((judge.item(item, served=served), item) for item in items)


def _token(view: EnvironmentView) -> object:
    """What tells one reading of an environment from the next."""
    return view.read_at, view.snapshot is None, view.outcomes[:1]


def _kind(verdict: Verdict, count: int, as_of: str) -> Verdict:
    """One verdict for a kind of trouble, by the worst item that has it."""
    text = f"1 item {verdict.reason}" if count == 1 else f"{count} items, the worst {verdict.reason}"
    return Verdict(verdict.severity, text + as_of, verdict.alert, verdict.urgency)


def refresh(outcome: Outcome) -> schema.Refresh:
    """An outcome in words that everybody may read: the exporter's own, with the API's request ID."""
    known = None if outcome.reason is None else advice.of_failure(outcome.reason)
    return schema.Refresh(
        at=_at(outcome.at),
        succeeded=outcome.succeeded,
        seconds=outcome.seconds,
        requests=outcome.requests,
        reason=outcome.reason,
        text="" if known is None else known.meaning,
        next_step="" if known is None else known.next_step,
        endpoint=outcome.endpoint,
        status=outcome.status,
        request_id=outcome.request_id,
    )


def _account(view: AccountView, environments: Iterable[EnvironmentView]) -> schema.Account:
    failure = view.discovery_failure
    newest = (each.outcomes[0] for each in environments if each.environment.account == view.name and each.outcomes)
    refused = (failure is not None and failure.reason == "auth") or any(each.reason == "auth" for each in newest)
    return schema.Account(
        name=view.name,
        environments=view.environments,
        refused=refused,
        discovery_up=view.discovery_up,
        discovery_failure=None if failure is None else refresh(failure),
        clock_skew_seconds=view.clock_skew,
        gone=[schema.Gone(id=each.id, name=each.name, at=moment(each.since)) for each in view.gone],
        conflicts=[schema.Conflict(id=each.id, name=each.name, read_by=each.owner) for each in view.conflicts],
        unmatched_patterns=list(view.unmatched),
        skipped=list(view.skipped),
    )


def _configuration(reload: Reload) -> schema.Configuration:
    return schema.Configuration(
        loaded=reload.successful,
        loaded_at=moment(reload.succeeded_at or None),
        problems=list(reload.problems),
    )


def _finding(verdict: Verdict) -> schema.Finding:
    return schema.Finding(severity=verdict.severity, text=verdict.reason, alert=verdict.alert or None)


def _counts(snapshot: Snapshot | None) -> dict[str, int] | None:
    if snapshot is None or snapshot.queue is None:
        return None
    counts = Counter[str]()
    for (state, _), count in snapshot.queue.counts.items():
        counts[state] += count
    return dict(counts)


def _wanted(item: Observation, selection: ItemSelection) -> bool:
    return selection.state in (None, item.state) and selection.work_id in (None, item.id)


def _worst_first(judged: Judged) -> tuple[tuple[int, float], float, str]:
    verdict, item = judged
    return verdict.order, -(seconds_in_state(item) or 0.0), item.id


def _at(seconds: float) -> datetime:
    """A unix time as a moment in UTC; what no calendar has becomes the first or the last one it has."""
    return datetime.fromtimestamp(min(max(seconds, -62135596800), 253402300799), UTC)


def moment(seconds: float | None) -> datetime | None:
    """A unix time as a moment in UTC, if there is one."""
    return None if seconds is None else _at(seconds)
