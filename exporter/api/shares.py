"""Whose turn it is: one account's slots and pace, shared out fairly among its environments.

A request waits here until it may be sent. Four rules decide:

1. **Slots.** No more than so many requests are under way at once, and fewer of those that nobody waits for.
2. **Pace.** No more than so many reach the API in any second, by the API's count (`conventions/rate-limits`).
3. **Turns.** Environments take turns, each with its oldest request, however many it has waiting. Requests that a scrape
   waits for come first; of five, one is left to the background, so that it goes on under permanent load.
4. **Reserves.** While other environments are about, one may not hold more than half of the slots. Those that are slow
   to answer may not hold more than half of them together, however many they are, nor more than three quarters with
   those that have never answered, which may have one each. So a neighbour of a thousand hanging requests waits for a
   slot that is in good use, and not for a timeout.

Waiting here belongs to nobody's timeout, and is nobody's failure. Who gives up waiting is forgotten at once.
"""

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

JITTER = 0.5
"""Seconds after which a request that was sent is taken to have arrived at the API, even if no answer has come."""

SLOW = 1.0
"""Seconds after which a request that has not been answered makes its environment a slow one."""

ABOUT = 60.0
"""Seconds for which an environment that has asked for nothing is still reckoned with."""

TO_BACKGROUND = 5
"""Of so many turns, one is the background's, where it waits for one."""


@dataclass(eq=False, slots=True)
class Turn:
    """The right to have one request under way; given back with :meth:`release`.

    Attributes:
        began: When the turn came, on ``time.monotonic()``'s clock.
        paced: Seconds of the waiting that were owed to the pace alone.
    """

    key: str
    background: bool
    granted: asyncio.Future[None]
    shares: "Shares"
    began: float = 0.0
    paced: float = 0.0
    counted_until: float = 0.0
    released: bool = False

    def release(self) -> None:
        """Give the slot back; more than once is once."""
        if not self.released:
            self.released = True
            self.shares._release(self)


class Shares:
    """The turns of one account.

    Args:
        slots: Most requests under way at once.
        background_slots: Most of them that nobody waits for.
        per_second: Most requests that arrive at the API in any second.
    """

    def __init__(self, slots: int, background_slots: int, per_second: float) -> None:
        if per_second <= 0:
            raise ValueError(f"a rate is positive, not {per_second}")
        self._slots = slots
        self._background_slots = background_slots
        self._members = _Members(slots)
        self._scrapes: OrderedDict[str, deque[Turn]] = OrderedDict()
        self._background: OrderedDict[str, deque[Turn]] = OrderedDict()
        self._since_background = 0
        self._under_way = 0
        self._background_under_way = 0
        self._pace = _Pace(per_second)
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, key: str, *, background: bool = False) -> Turn:
        """Wait for a turn.

        Args:
            key: The environment; empty for what concerns the account as a whole.
            background: Whether nobody waits for it.
        """
        turn = Turn(key, background, asyncio.get_running_loop().create_future(), self)
        turn.paced = -self._pace.held_back()
        self._members.asks(key, time.monotonic())
        queues = self._background if background else self._scrapes
        queues.setdefault(key, deque()).append(turn)
        self._share_out()
        if not turn.granted.done():
            try:
                await turn.granted
            except asyncio.CancelledError:
                self._forget(turn, queues)
                raise
        turn.paced += self._pace.held_back()
        return turn

    def _forget(self, turn: Turn, queues: OrderedDict[str, deque[Turn]]) -> None:
        """Take a turn out of the queue whose waiter has left; if it was granted in the same moment, give it back."""
        if turn.granted.done() and not turn.granted.cancelled():
            turn.release()
            return
        queue = queues.get(turn.key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del queues[turn.key]
            self._share_out()

    def _release(self, turn: Turn) -> None:
        now = time.monotonic()
        self._under_way -= 1
        self._background_under_way -= turn.background
        self._members.ends(turn, now)
        self._pace.ended(turn, now)
        self._share_out()

    def _share_out(self) -> None:
        """Grant turns for as long as there are slots, somebody who may have one, and time in the pace."""
        now = time.monotonic()
        free_at = now
        while self._under_way < self._slots:
            queues = self._next_queues(now)
            if queues is None:
                break
            free_at = self._pace.free_at(now)
            if free_at > now:
                break
            self._grant(queues, now)
        self._pace.hold_back(now, free_at > now)
        self._wake_up(now, free_at if free_at > now else None)

    def _wake_up(self, now: float, at: float | None) -> None:
        """Share out again when the pace allows the next request, or never by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(at - now, self._share_out)

    def _next_queues(self, now: float) -> OrderedDict[str, deque[Turn]] | None:
        """The queues to serve next, the environment whose turn it is in front; None if nobody may have a turn."""
        if not self._scrapes and not self._background:
            return None
        may_background = self._background_under_way < self._background_slots
        first, second = self._scrapes, self._background
        if may_background and self._since_background >= TO_BACKGROUND - 1:
            first, second = second, first
        self._members.survey(now)
        for queues in (first, second):
            if queues is self._background and not may_background:
                continue
            for key in queues:
                if self._members.may_have_one_more(key):
                    queues.move_to_end(key, last=False)
                    return queues
        return None

    def _grant(self, queues: OrderedDict[str, deque[Turn]], now: float) -> None:
        """Give a turn to the environment in front, and let it stand in line again at the end."""
        key, queue = next(iter(queues.items()))
        turn = queue.popleft()
        if queue:
            queues.move_to_end(key)
        else:
            del queues[key]
        if turn.granted.done():
            return  # its waiter has been cancelled, and will hear of it in a moment
        self._since_background = 0 if turn.background else self._since_background + 1
        self._under_way += 1
        self._background_under_way += turn.background
        turn.began = now
        self._members.begins(turn)
        self._pace.begun(turn, now)
        turn.granted.set_result(None)


class _Members:
    """The environments that are about, and what each may still take, so that something is left for the others.

    Nothing here walks through all of them for each request: at most as many as there are slots have a request under
    way, and only those are looked at.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._asked_at: dict[str, float] = {}
        self._under_way: dict[str, dict[Turn, None]] = {}
        self._slow: set[str] = set()
        self._unknown: set[str] = set()
        self._swept_at = 0.0
        self._overdue: set[str] = set()
        self._most = self._most_slow = self._most_unproven = slots
        self._alone = True
        self._slow_under_way = self._unknown_under_way = 0

    def asks(self, key: str, now: float) -> None:
        """An environment wants a turn."""
        if key not in self._asked_at:
            self._unknown.add(key)
        self._asked_at[key] = now

    def begins(self, turn: Turn) -> None:
        """It has one."""
        self._under_way.setdefault(turn.key, {})[turn] = None

    def ends(self, turn: Turn, now: float) -> None:
        """It gave one back."""
        under_way = self._under_way[turn.key]
        del under_way[turn]
        if not under_way:
            del self._under_way[turn.key]
        self._unknown.discard(turn.key)
        if now - turn.began >= SLOW:
            self._slow.add(turn.key)
        else:
            self._slow.discard(turn.key)

    def survey(self, now: float) -> None:
        """Find out who is slow, and what is left for them; to be called before :meth:`may_have_one_more`."""
        if now - self._swept_at >= ABOUT:
            self._sweep(now)
        oldest = {key: next(iter(under_way)) for key, under_way in self._under_way.items()}
        self._overdue = {key for key, turn in oldest.items() if now - turn.began >= SLOW}
        self._slow_under_way = sum(len(turns) for key, turns in self._under_way.items() if self._is_slow(key))
        self._unknown_under_way = sum(
            len(turns) for key, turns in self._under_way.items() if key in self._unknown and key not in self._overdue
        )
        everybody = len(self._asked_at)
        self._alone = everybody - ("" in self._asked_at) < 2
        slow = len(self._slow) + len(self._overdue - self._slow)
        quick = everybody - slow - len(self._unknown - self._overdue)
        self._most = self._slots if self._alone else (self._slots + 1) // 2
        # If all are slow, it is the API that is, and a reserve would be kept for nobody.
        self._most_slow = self._slots if self._alone or slow >= everybody else max(1, self._slots // 2)
        self._most_unproven = self._slots if self._alone or not quick else max(1, self._slots - self._slots // 4)

    def may_have_one_more(self, key: str) -> bool:
        """Whether an environment may have one more request under way."""
        under_way = len(self._under_way.get(key, ()))
        if under_way >= self._most or (under_way and key in self._unknown and not self._alone):
            return False
        if self._is_slow(key) and self._slow_under_way >= self._most_slow:
            return False
        quick = key not in self._unknown and not self._is_slow(key)
        return quick or self._slow_under_way + self._unknown_under_way < self._most_unproven

    def _is_slow(self, key: str) -> bool:
        """Whether its last request took long, or its oldest one under way has taken long so far."""
        return key in self._slow or key in self._overdue

    def _sweep(self, now: float) -> None:
        """Forget those that have not asked for anything for a while."""
        self._swept_at = now
        gone = [key for key, at in self._asked_at.items() if now - at > ABOUT and key not in self._under_way]
        for key in gone:
            del self._asked_at[key]
            self._slow.discard(key)
            self._unknown.discard(key)


class _Pace:
    """At most so many requests in any second, as the API counts them.

    The API counts a request at some moment between its sending and its answer, so counting only one of these moments
    here lets through more than allowed whenever the network is slow for a while and then fast. A request therefore
    occupies the pace from its sending until a second after its answer; one without an answer is taken to have arrived
    `JITTER` after it was sent. Proof: if the API counted one too many within a second, all but the last sent of them
    still occupied the pace when that one was sent.

    A burst within the budget is not spread out: a scrape of a few requests should take one round trip, not many.
    """

    def __init__(self, per_second: float) -> None:
        self._burst = max(1, int(per_second))
        self._period = max(1.0, 1 / per_second)
        self._counted = 0
        self._until: list[tuple[float, int, Turn]] = []
        self._serial = 0
        self._held_back = 0.0
        self._held_back_since: float | None = None

    def begun(self, turn: Turn, now: float) -> None:
        """Count a request that is sent now."""
        self._counted += 1
        self._count_until(turn, now + JITTER + self._period)

    def ended(self, turn: Turn, now: float) -> None:
        """Its answer has come."""
        if now + self._period < turn.counted_until:
            self._count_until(turn, now + self._period)

    def free_at(self, now: float) -> float:
        """When one more request may be sent; ``now`` or later."""
        while self._until:
            until, _, turn = self._until[0]
            if until != turn.counted_until:
                heapq.heappop(self._until)  # it was answered, and counts until another time
            elif until <= now + 1e-6:
                heapq.heappop(self._until)
                self._counted -= 1
            else:
                break
        return now if self._counted < self._burst else self._until[0][0]

    def hold_back(self, now: float, held_back: bool) -> None:
        """Note from when to when somebody had to wait for the pace alone."""
        if self._held_back_since is not None:
            self._held_back += now - self._held_back_since
        self._held_back_since = now if held_back else None

    def held_back(self) -> float:
        """Seconds so far in which somebody had to wait for the pace alone."""
        since = self._held_back_since
        return self._held_back + (0.0 if since is None else time.monotonic() - since)

    def _count_until(self, turn: Turn, until: float) -> None:
        turn.counted_until = until
        self._serial += 1
        heapq.heappush(self._until, (until, self._serial, turn))
