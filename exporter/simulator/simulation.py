"""The simulated account: environments, tokens, faults, and direct access to the state for tests."""

import hashlib
import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack, cast

from exporter.simulator.clock import Clock, RealClock, microseconds
from exporter.simulator.environment import Environment, EnvironmentKind
from exporter.simulator.faults import Faults
from exporter.simulator.history import Life, history_items
from exporter.simulator.ids import ENVIRONMENT, SESSION, WORK, IdSource
from exporter.simulator.item import ACTIVE, NO_METADATA, QUEUED, STARTING, STOPPED, STOPPING, Lease, WorkItem
from exporter.simulator.options import Options
from exporter.simulator.tokens import DEFAULT_TOKEN, Tokens
from exporter.simulator.traffic import Traffic
from exporter.simulator.truth import Truth, observe


class Times(TypedDict, total=False):
    """When things happened to a work item, in Unix seconds; None if they have not."""

    acknowledged_at: float | None
    started_at: float | None
    latest_heartbeat_at: float | None
    stop_requested_at: float | None
    stopped_at: float | None


_FIELDS = {
    "acknowledged_at": "acknowledged_us",
    "started_at": "started_us",
    "latest_heartbeat_at": "heartbeat_us",
    "stop_requested_at": "stop_requested_us",
    "stopped_at": "stopped_us",
}
_IMPLIED_TIMES = {
    QUEUED: (),
    STARTING: ("acknowledged",),
    ACTIVE: ("acknowledged", "started", "heartbeat"),
    STOPPING: ("acknowledged", "started", "heartbeat", "stop_requested"),
    STOPPED: ("acknowledged", "started", "heartbeat", "stopped"),
}


class Simulation:
    """One account of the simulated service.

    Times given to and by its methods are Unix seconds of the simulated clock. Every method may be called from any
    thread, also while a server answers requests from this state.

    Args:
        clock: What time it is; the machine's clock by default.
        seed: Of all randomness. With a `ManualClock` the same calls then give the same state.
        options: Of the list of environments, and of the environments that have none of their own.
        tokens: The bearer tokens that are accepted.

    Attributes:
        tokens: Who may use the API.
        faults: What goes wrong on the wire.
        traffic: The requests that were answered.
        environments: By ID.
        lock: Held while the state is read or changed.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        options: Options | None = None,
        tokens: Iterable[str] = (DEFAULT_TOKEN,),
    ) -> None:
        self.clock = clock or RealClock()
        self.options = options or Options()
        self.seed = seed
        self.random = random.Random(seed)
        self.ids = IdSource(random.Random(f"ids {seed}"))
        self.faults = Faults(random.Random(f"faults {seed}"))
        self.traffic = Traffic()
        self.tokens = Tokens(tokens)
        self.environments: dict[str, Environment] = {}
        self.lock = threading.RLock()

    # Environments

    def create_environment(
        self,
        name: str,
        *,
        kind: EnvironmentKind | str = "self_hosted",
        archived: bool = False,
        forbidden: bool = False,
        options: Options | None = None,
        description: str = "",
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> str:
        """Create an environment and return its ID.

        Args:
            name: For people; need not be unique.
            kind: ``self_hosted`` or ``cloud``, or another word to see what a client does with it.
            archived: Whether it is archived at once.
            forbidden: Whether no token has a right to it (403).
            options: Its own options instead of the simulation's.
            description: For people.
            metadata: String pairs.
        """
        with self.lock:
            now_us = self.clock.now_us()
            environment = Environment(
                id=self.ids.next(ENVIRONMENT, now_us),
                name=name,
                kind=kind,
                created_us=now_us,
                options=options or self.options,
                description=description,
                metadata=metadata,
                archived_us=now_us if archived else None,
                forbidden=forbidden,
            )
            self.environments[environment.id] = environment
            return environment.id

    def archive_environment(self, environment_id: str) -> None:
        """Archive an environment; its work goes on by the option ``archived_work``."""
        with self.lock:
            environment = self.environment(environment_id)
            environment.archived_us = environment.updated_us = self.clock.now_us()

    def rename_environment(self, environment_id: str, name: str) -> None:
        """Give an environment another name."""
        with self.lock:
            environment = self.environment(environment_id)
            environment.name, environment.updated_us = name, self.clock.now_us()

    def change_options(self, environment_id: str, **changes: Any) -> None:
        """Let an environment behave differently from now on: ``change_options(environment_id, page_cap=7)``."""
        with self.lock:
            environment = self.environment(environment_id)
            environment.options = environment.queue.options = replace(environment.options, **changes)

    def delete_environment(self, environment_id: str) -> None:
        """Delete an environment with all of its work."""
        with self.lock:
            del self.environments[self.environment(environment_id).id]

    def environment(self, environment_id: str) -> Environment:
        """Return an environment, with everything done that has become due in its queue.

        Raises:
            KeyError: There is none with this ID.
        """
        with self.lock:
            environment = self.environments[environment_id]
            environment.queue.settle(self.clock.now_us())
            return environment

    # Work

    def create_work(
        self,
        environment_id: str,
        *,
        state: str = QUEUED,
        created_at: float | None = None,
        metadata: Mapping[str, str] = NO_METADATA,
        data_type: str = "session",
        work_id: str | None = None,
        **times: Unpack[Times],
    ) -> str:
        """Create a work item and return its ID, which is above every other unless it is given.

        Args:
            environment_id: Where.
            state: Any state. Times that it implies and that are not given equal ``created_at``.
            created_at: Now by default. A past time does not make the ID older: see `commit_late`.
            metadata: What the session's metadata was.
            data_type: What kind of thing the work is about.
            work_id: The ID, if the next one of the sequence will not do.
            **times: As in `force`.
        """
        with self.lock:
            now_us = self.clock.now_us()
            created_us = now_us if created_at is None else microseconds(created_at)
            item = WorkItem(
                id=work_id or self.ids.next(WORK, now_us),
                created_us=created_us,
                metadata=metadata,
                data=(data_type, self.ids.next(SESSION, now_us)),
            )
            for name in _IMPLIED_TIMES.get(state, ()):
                setattr(item, f"{name}_us", created_us)
            queue = self.environment(environment_id).queue
            queue.add(item)
            self.force(environment_id, item.id, state, **times)
            return item.id

    def commit_late(
        self, environment_id: str, age: float, *, state: str = QUEUED, metadata: Mapping[str, str] = NO_METADATA
    ) -> str:
        """Create an item that is ``age`` seconds old, ID included: it appears before items already listed."""
        with self.lock:
            created_at = self.clock.now() - age
            work_id = self.ids.at(WORK, microseconds(created_at))
            return self.create_work(
                environment_id, work_id=work_id, created_at=created_at, state=state, metadata=metadata
            )

    def create_history(
        self,
        environment_id: str,
        count: int,
        *,
        oldest_age: float = 7 * 86400.0,
        newest_age: float = 600.0,
        life: Life | None = None,
        metadata: Sequence[Mapping[str, str]] = (NO_METADATA,),
    ) -> None:
        """Create many stopped items at once, spread evenly over the past.

        Args:
            environment_id: Where.
            count: How many; a million takes seconds.
            oldest_age: Age of the oldest, in seconds.
            newest_age: Age of the newest, in seconds.
            life: How long items waited, started, ran and drained.
            metadata: Each item gets one of these at random.
        """
        with self.lock:
            now_us = self.clock.now_us()
            items = history_items(
                count,
                start_us=now_us - microseconds(oldest_age),
                end_us=now_us - microseconds(newest_age),
                now_us=now_us,
                life=life or Life(),
                metadata=metadata,
                randomness=random.Random(self.random.getrandbits(64)),
            )
            self.environment(environment_id).queue.add_history(items)

    def force(
        self,
        environment_id: str,
        work_id: str,
        state: str | None = None,
        *,
        created_at: float | None = None,
        **times: Unpack[Times],
    ) -> None:
        """Put an item into any state, backwards too, with any times: those not given stay, None clears one.

        A lease lapses only after the next real heartbeat, so that the item stays where it was put.
        """
        with self.lock:
            queue = self.environment(environment_id).queue
            item = self._item(environment_id, work_id)
            if created_at is not None:
                item.created_us = microseconds(created_at)
            for name, value in times.items():
                moment = cast("float | None", value)
                setattr(item, _FIELDS[name], None if moment is None else microseconds(moment))
            if state is not None:
                queue.move(item, state)
            holder = item.lease.worker_id if item.lease is not None else None
            item.lease = None if item.state == QUEUED else Lease(holder, item.heartbeat_us)

    def delete_work(self, environment_id: str, *work_ids: str) -> None:
        """Delete items: the API no longer knows them."""
        with self.lock:
            items = [self._item(environment_id, work_id) for work_id in work_ids]
            self.environment(environment_id).queue.remove(items)

    def prune(self, environment_id: str, count: int) -> list[str]:
        """Delete the oldest items, whatever their state, and return their IDs."""
        with self.lock:
            work_ids = self.work_ids(environment_id)[:count]
            self.delete_work(environment_id, *work_ids)
            return work_ids

    def forget_cursors(self, environment_id: str, *work_ids: str) -> None:
        """Treat these IDs as unknown cursors, although their items are still listed."""
        with self.lock:
            self.environment(environment_id).queue.forgotten.update(work_ids)

    def work_ids(self, environment_id: str) -> list[str]:
        """Return the IDs of all items, ascending."""
        with self.lock:
            return [item.id for item in self.environment(environment_id).queue.items]

    def truth(self, environment_id: str, *, live_only: bool = False) -> Truth:
        """Return what is true of an environment now, counted by brute force.

        Args:
            environment_id: Whose.
            live_only: Leave the stopped items out of ``items`` (they are counted all the same); for large histories.
        """
        with self.lock:
            environment = self.environment(environment_id)
            return observe(environment, self.clock.now_us(), live_only=live_only)

    def secret(self, work_id: str) -> str:
        """Return the value that the item's ``secret`` has where the options show it."""
        return "wsk-" + hashlib.sha256(f"{self.seed} {work_id}".encode()).hexdigest()

    def _item(self, environment_id: str, work_id: str) -> WorkItem:
        item = self.environment(environment_id).queue.find(work_id)
        if item is None:
            raise KeyError(work_id)
        return item
