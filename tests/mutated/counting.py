"""Mutations of what is made of what was read: observations, the ledger, counters, records."""

from tests.mutated.mutation import Mutation

COUNTING = (
    Mutation(
        "ledger: vanished items are not counted",
        "self.lifecycle.vanished += 1",
        "pass",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: a stopped item is not counted in the history",
        "            del self.live[item.id]\n"
        "            self.history.count_stopped(item.id, item.labels, unreadable=item.unreadable)",
        "            del self.live[item.id]",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: an ID that appears late is taken for an old item",
        "elif self.tail.covers(item.id) and item.id not in self.tail.ids:",
        "elif False:",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: what only another page shows beyond the end is forgotten",
        "sorted({*end.ids, *filter(end.covers, seen)})",
        "end.ids",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: a stopped item that is gone from the end is not missed",
        "self.doubtful |= self.tail.end(after, ids) - vanished",
        "self.tail.end(after, ids)",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: a stopped item that lives again is not doubted",
        "            self.doubtful.add(item.id)",
        "            pass",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: counting anew leaves the segments behind new items as they are",
        "to_the_end = bool(new) or reading.through is None",
        "to_the_end = reading.through is None",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: a reading covers what stands just before it",
        "self.live.between(reading.after, reading.through) if self._listed",
        "self.live.between(None, reading.through) if self._listed",
        ("test_reader", "test_requests"),
    ),
    Mutation(
        "ledger: a page that was cut short covers the rest of the list",
        "self.live.between(reading.after, reading.through) if self._listed",
        "self.live.between(reading.after, None) if self._listed",
        ("test_reader", "test_requests"),
    ),
    Mutation(
        "ledger: an item that a page shows has vanished",
        "vanished = (gone & self.live.keys()) - seen.keys()",
        "vanished = gone & self.live.keys()",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: what happened during the first reading counts",
        "        if not self.complete:\n            return Lifecycle.past(item) | self.counted.get(item.id, 0)\n",
        "",
        ("test_ledger", "test_lifecycle"),
    ),
    Mutation(
        "ledger: what was created before the watch is an event of it",
        "created_before(item, self.began - LATE)",
        "False",
        ("test_contradictions",),
    ),
    Mutation(
        "ledger: what a resync puts right is not counted",
        "self.corrections += max(more.total() + found, less.total())",
        "pass",
        ("test_corrections",),
    ),
    Mutation(
        "ledger: an item that came back is two corrections",
        "self.corrections += max(more.total() + found, less.total())",
        "self.corrections += more.total() + found + less.total()",
        ("test_corrections",),
    ),
    Mutation(
        "history: items stand where they stood when they were first seen",
        "before + min(offset, self._segments[index].size - 1)",
        "before + offset + 1000 * index",
        ("test_requests",),
    ),
    Mutation(
        "ledger: a segment counted anew leaves its live items' places",
        "                self.live[sighting.item.id].offset = offset",
        "                pass",
        ("test_requests", "test_planner", "test_ledger"),
    ),
    Mutation(
        "observation: any time is believed",
        "return EARLIEST <= moment <= now + LONGEST_LEAD",
        "return True",
        ("test_absurd_times",),
    ),
    Mutation(
        "observation: a time that means none is unreadable",
        " and moment not in UNSET",
        "",
        ("test_absurd_times",),
    ),
    Mutation(
        "lifecycle: steps that contradict each other make a duration",
        "or end < start - DISAGREEMENT",
        "",
        ("test_absurd_times",),
    ),
    Mutation(
        "record: a frozen record follows the ledger's live items",
        "live=list(map(_copy, record.live))",
        "live=record.live",
        ("test_slices",),
    ),
    Mutation(
        "record: a frozen record follows the ledger's segments",
        "segments=list(map(_copy, record.segments))",
        "segments=record.segments",
        ("test_slices",),
    ),
    Mutation(
        "history: unreadable items are forgotten when they stop",
        "        self.unreadable += unreadable\n        counts = dict(self.stopped)",
        "        counts = dict(self.stopped)",
        ("test_history",),
    ),
    Mutation(
        "history: counting anew does not subtract what was counted",
        "            self._add(segment, -1)",
        "            pass",
        ("test_history",),
    ),
    Mutation(
        "history: counting anew takes one segment too many",
        "last = len(self._ends) if through is None else bisect_right(self._ends, through)",
        "last = len(self._ends) if through is None else bisect_right(self._ends, through) + 1",
        ("test_history",),
    ),
    Mutation(
        "lifecycle: a wait is counted whenever an item is acknowledged",
        "if item.acknowledged is not None and not counted & Counted.WAIT:",
        "if item.acknowledged is not None:",
        ("test_lifecycle",),
    ),
    Mutation(
        "lifecycle: an item stops whenever it is seen stopped",
        "if not item.live and not counted & Counted.STOP:",
        "if not item.live:",
        ("test_lifecycle",),
    ),
    Mutation(
        "lifecycle: an item that stays queued is requeued",
        "if now.state == QUEUED and before.state != QUEUED and not unknown:",
        "if now.state == QUEUED and not unknown:",
        ("test_lifecycle",),
    ),
    Mutation(
        "lifecycle: what was acknowledged before the watch waits now",
        "counted |= Counted.WAIT\n        if item.started is not None:\n            counted |= Counted.STARTUP\n",
        "pass\n",
        ("test_lifecycle",),
    ),
    Mutation(
        "lifecycle: a run begins with the acknowledgement",
        "_observe(self.run, item, item.started, item.stopped)",
        "_observe(self.run, item, item.acknowledged, item.stopped)",
        ("test_lifecycle",),
    ),
    Mutation(
        "ledger: counting anew begins where the last step stopped",
        "self.traversed = self.origin if boundary is None else boundary",
        "self.traversed = self.traversed",
        ("test_traversal",),
    ),
    Mutation(
        "record: doubt does not survive",
        "doubtful=set(record.doubtful),",
        "doubtful=set(),",
        ("test_checkpoint",),
    ),
    Mutation(
        "observation: every value becomes a label",
        "if len(values) >= self._limit:",
        "if False:",
        ("test_metadata_labels",),
    ),
)
