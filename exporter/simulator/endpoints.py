"""What each endpoint of the API does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET, UnsetType

from exporter.simulator import lifecycle
from exporter.simulator.call import Call
from exporter.simulator.clock import MICROSECONDS
from exporter.simulator.connection import while_connected
from exporter.simulator.environment import Environment
from exporter.simulator.errors import InvalidRequestError
from exporter.simulator.item import WorkItem, item_id
from exporter.simulator.options import StatsField
from exporter.simulator.page import page_request, select_page
from exporter.simulator.query import boolean, integer, moment
from exporter.simulator.wire import (
    EnvironmentBody,
    HeartbeatBody,
    PageBody,
    StatsBody,
    WorkBody,
    page_body,
    six_digits,
    whole_seconds,
    work_body,
)

Body = EnvironmentBody | PageBody[EnvironmentBody] | WorkBody | PageBody[WorkBody] | HeartbeatBody | StatsBody | None
Handler = Callable[[Call], Awaitable[Body]]

LONGEST_BLOCK_MS = 999
"""The longest ``block_ms`` (`work/poll`)."""
DEFAULT_RECLAIM_MS = 5000
"""``reclaim_older_than_ms`` when it is left out (`work/poll`)."""


async def list_environments(call: Call) -> PageBody[EnvironmentBody]:
    """List environments, newest first (`environments/list`)."""
    simulation = call.simulation
    wanted = page_request(call.query, simulation.options, over_limit=simulation.options.environments_over_limit)
    archived = boolean(call.query, "include_archived")
    since, until = moment(call.query, "created_at[gte]"), moment(call.query, "created_at[lte]")
    with simulation.lock:
        chosen = [
            environment
            for environment in sorted(simulation.environments.values(), key=_environment_id, reverse=True)
            if (archived or environment.archived_us is None)
            and (since is None or environment.created_us >= since)
            and (until is None or environment.created_us <= until)
            and not environment.forbidden
        ]
        page = select_page(chosen, _environment_id, wanted, simulation.options, descending=True)
        data = [environment.body() for environment in page.data]
    return page_body(data, [body.id for body in data], has_more=page.has_more, options=simulation.options)


async def get_environment(call: Call) -> EnvironmentBody:
    """Return one environment (`environments/get`)."""
    return call.environment().body()


async def list_work(call: Call) -> PageBody[WorkBody]:
    """List work items, oldest first (`work/list`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        wanted = page_request(call.query, environment.options)
        queue = environment.queue
        page = select_page(queue.items, item_id, wanted, environment.options, forgotten=queue.forgotten)
        data = [_work(call, environment, item) for item in page.data]
    return page_body(data, [body.id for body in data], has_more=page.has_more, options=environment.options)


async def get_work(call: Call) -> WorkBody:
    """Return one work item (`work/get`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        return _work(call, environment, call.item(environment))


async def queue_stats(call: Call) -> StatsBody:
    """Return the queue's stats (`work/stats`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        queue, options, now_us = environment.queue, environment.options, call.simulation.clock.now_us()
        pending = {item.id for item in queue.pending(now_us)}
        waiting = [item for item in queue.queued if options.oldest_includes_pending or item.id not in pending]
        oldest_us = min((item.created_us for item in waiting), default=None)
        workers = queue.workers_polling(now_us)
        depth = len(queue.queued) - (0 if options.depth_includes_pending else len(pending))

    def missing(name: StatsField) -> UnsetType | None:
        return UNSET if name in options.absent_stats else None

    hidden = options.null_stats | options.absent_stats
    return StatsBody(
        depth=depth,
        pending=len(pending),
        oldest_queued_at=missing("oldest_queued_at")
        if oldest_us is None or "oldest_queued_at" in hidden
        else whole_seconds(oldest_us),
        workers_polling=missing("workers_polling") if "workers_polling" in hidden else workers,
    )


async def poll_work(call: Call) -> WorkBody | None:
    """Deliver one queued item, or none after ``block_ms`` (`work/poll`)."""
    environment = call.work_environment()
    block_ms = integer(call.query, "block_ms") or 0
    if block_ms > LONGEST_BLOCK_MS:
        raise InvalidRequestError(f"block_ms must be from 1 to {LONGEST_BLOCK_MS}.", "block_ms")
    given = integer(call.query, "reclaim_older_than_ms", least=0)
    reclaim_us = (DEFAULT_RECLAIM_MS if given is None else given) * 1000
    clock = call.simulation.clock
    deadline_us = clock.now_us() + block_ms * 1000
    arrivals = environment.queue.arrivals
    while True:
        rings_seen = arrivals.rings
        body = _deliver(call, environment.id, reclaim_us)
        left = (deadline_us - clock.now_us()) / MICROSECONDS
        if body is not None or left <= 0:
            return body
        if not await while_connected(clock.sleep(left, arrivals, rings_seen), call.receive):
            return None


def _deliver(call: Call, environment_id: str, reclaim_us: int) -> WorkBody | None:
    with call.simulation.lock:
        environment = call.work_environment()
        item = environment.queue.deliver(call.simulation.clock.now_us(), call.worker_id, reclaim_us)
        return None if item is None else _work(call, environment, item, polled=True)


async def ack_work(call: Call) -> WorkBody:
    """Claim an item (`work/ack`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        item = call.item(environment)
        lifecycle.ack(environment.queue, item, call.simulation.clock.now_us(), call.worker_id)
        return _work(call, environment, item)


async def heartbeat_work(call: Call) -> HeartbeatBody:
    """Extend an item's lease (`work/heartbeat`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        desired_ttl = integer(call.query, "desired_ttl_seconds")
        expected = _expected(call)
        item = call.item(environment)
        now_us = call.simulation.clock.now_us()
        extended, ttl = lifecycle.heartbeat(environment.queue, item, now_us, expected=expected, desired_ttl=desired_ttl)
        return HeartbeatBody(six_digits(now_us), extended, item.state, ttl)


def _expected(call: Call) -> lifecycle.Expected | None:
    name = "expected_last_heartbeat"
    if name not in call.query:
        return None
    if call.query[name] == lifecycle.NO_HEARTBEAT:
        return lifecycle.Expected(None)
    return lifecycle.Expected(moment(call.query, name))


async def stop_work(call: Call) -> WorkBody:
    """Ask an item's worker to stop, or end the item (`work/stop`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        force = call.json(optional=True).get("force", False)
        if not isinstance(force, bool):
            raise InvalidRequestError("force must be true or false.", "force")
        item = call.item(environment)
        lifecycle.stop(environment.queue, item, call.simulation.clock.now_us(), force=force)
        return _work(call, environment, item)


async def update_work(call: Call) -> WorkBody:
    """Merge an item's metadata (`work/update`)."""
    with call.simulation.lock:
        environment = call.work_environment()
        patch = call.json().get("metadata", {})
        if not isinstance(patch, dict) or not all(isinstance(value, str | None) for value in patch.values()):
            raise InvalidRequestError("metadata must be an object of strings and nulls.", "metadata")
        item = call.item(environment)
        lifecycle.update_metadata(item, patch)
        return _work(call, environment, item)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the API under its base path."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    handler: Handler


_WORK = "/environments/{environment_id}/work"

ENDPOINTS = (
    Endpoint("environments", "GET", "/environments", list_environments),
    Endpoint("environment", "GET", "/environments/{environment_id}", get_environment),
    Endpoint("list", "GET", _WORK, list_work),
    # "poll" and "stats" are reserved words in the place of a work ID: they must be matched first.
    Endpoint("poll", "GET", f"{_WORK}/poll", poll_work),
    Endpoint("stats", "GET", f"{_WORK}/stats", queue_stats),
    Endpoint("get", "GET", f"{_WORK}/{{work_id}}", get_work),
    Endpoint("update", "POST", f"{_WORK}/{{work_id}}", update_work),
    Endpoint("ack", "POST", f"{_WORK}/{{work_id}}/ack", ack_work),
    Endpoint("heartbeat", "POST", f"{_WORK}/{{work_id}}/heartbeat", heartbeat_work),
    Endpoint("stop", "POST", f"{_WORK}/{{work_id}}/stop", stop_work),
)
"""The simulated part of the API, in the order in which routes are matched."""


def _environment_id(environment: Environment) -> str:
    return environment.id


def _work(call: Call, environment: Environment, item: WorkItem, *, polled: bool = False) -> WorkBody:
    shown = environment.options.secret
    if shown == "nowhere":
        return work_body(item, environment.id)
    visible = polled or shown == "everywhere"
    return work_body(item, environment.id, call.simulation.secret(item.id) if visible else None)
