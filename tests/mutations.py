"""Breaks the tracking of work items on purpose, one small change at a time, and sees whether a test notices.

    python tests/mutations.py                  # all of them; some minutes
    python tests/mutations.py planner walk     # those whose name begins with one of these words
    python tests/mutations.py --list           # what is broken, and the tests that should notice

Each change is made to a copy of the package in a temporary directory, where the tests named beside it are then run:
it is killed if they fail, or do not come to an end. A change that survives, or can no longer be made, is an error.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TRACKING = Path("exporter/tracking")
PATIENCE = 300
"""Seconds after which tests that go on for ever count as failed."""


@dataclass(frozen=True)
class Mutation:
    """One change.

    Attributes:
        name: The module and what is broken, in a few words.
        old: Text that occurs once in the module.
        new: What it becomes.
        tests: Tests of which at least one must fail: `module` or `module::test`, in `tests/tracking`.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The module, relative to the root."""
        return TRACKING / f"{self.name.partition(':')[0]}.py"

    def apply(self, root: Path) -> None:
        """Make the change under this directory.

        Raises:
            LookupError: The text does not occur once.
        """
        module = root / self.path
        text = module.read_text()
        if text.count(self.old) != 1:
            raise LookupError(f"{self.path} has {text.count(self.old)} times: {self.old}")
        module.write_text(text.replace(self.old, self.new))


MUTATIONS = (
    Mutation(
        "planner: a window reaches one item too far",
        "end = position + page_size",
        "end = position + page_size + 1",
        ("test_planner",),
    ),
    Mutation(
        "planner: a window reaches one item less than it could",
        "end = position + page_size",
        "end = position + page_size - 1",
        ("test_planner",),
    ),
    Mutation(
        "planner: the last window is not merged with the tail",
        "elif not page and position + page_size >= ledger.size:",
        "elif False:",
        ("test_planner",),
    ),
    Mutation(
        "planner: the tail begins where it cannot reach the end in one page",
        "position + page_size >= ledger.size:",
        "position + page_size + 1 >= ledger.size:",
        ("test_planner",),
    ),
    Mutation(
        "planner: an isolated item is read as a page",
        "if len(page) > 1:",
        "if page:",
        ("test_planner",),
    ),
    Mutation(
        "planner: windows reach into the tail",
        "if tail_after is None or item.seen.id > tail_after:",
        "if not page and (tail_after is None or item.seen.id > tail_after):",
        ("test_planner",),
    ),
    Mutation(
        "planner: items in the tail are read again",
        "if tail_after is None or item.seen.id > tail_after:",
        "if tail_after is None:",
        ("test_planner",),
    ),
    Mutation(
        "walk: an end is believed although nothing is shown",
        "end=True) if data or cursor is None else None",
        "end=True)",
        ("test_walk",),
    ),
    Mutation(
        "walk: items up to the position are shown again",
        "if self.position is None or item.id > self.position]",
        "if True]",
        ("test_walk",),
    ),
    Mutation(
        "walk: the item at the position is shown again",
        "item.id > self.position]",
        "item.id >= self.position]",
        ("test_walk",),
    ),
    Mutation(
        "walk: order is not checked",
        "if right.id <= left.id:",
        "if False:",
        ("test_walk",),
    ),
    Mutation(
        "walk: no other cursor is tried",
        "for cursor in self._cursors:",
        "for cursor in self._cursors[:1]:",
        ("test_walk",),
    ),
    Mutation(
        "walk: pages follow one another without a pause",
        "self._not_before = time.monotonic() + self._source.page_interval",
        "self._not_before = time.monotonic()",
        ("test_walk",),
    ),
    Mutation(
        "walk: an empty page with more to come is an end",
        "if more and not data:",
        "if False:",
        ("test_walk",),
    ),
    Mutation(
        "reader: the tail is believed although nothing known is in it",
        "if cursor == self._ledger.origin or self._proven(reading):",
        "if True:",
        ("test_reader",),
    ),
    Mutation(
        "reader: a window that shows nothing that was wanted is believed",
        "if reading is not None and any(sighting.item.id in wanted for sighting in reading.sightings):",
        "if reading is not None:",
        ("test_reader",),
    ),
    Mutation(
        "reader: known pages count towards those that are applied at once",
        "pages += beyond is None or (bool(ids) and ids[-1] > beyond)",
        "pages += 1",
        ("test_reader",),
    ),
    Mutation(
        "reader: the tail is looked for near the end first, wherever it was to begin",
        "[*recent, *reversed(earlier)] if after in ledger.tail.ids else [*reversed(earlier), *recent]",
        "[*recent, *reversed(earlier)]",
        ("test_reader",),
    ),
    Mutation(
        "reader: an emptied list keeps its counts",
        "            self._ledger.doubt()\n",
        "            pass\n",
        ("test_reader",),
    ),
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
        "tail: items at the end of the list are not known one by one",
        "self.ids = [*earlier, after, *work_ids][-(OVERLAP + 1) :]",
        "self.ids = [*earlier, after, *work_ids][-2:]",
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
        "traversal: a stretch that has lost its items is taken for an empty list",
        "reading.after is None and reading.through is None and not reading.ids",
        "reading.after is None and not reading.ids",
        ("test_traversal",),
    ),
    Mutation(
        "reader: what a page should have shown is not asked for alone",
        "for each in due if",
        "for each in () if",
        ("test_reader", "test_requests"),
    ),
    Mutation(
        "reader: more new items than are applied at once are left for later",
        "            if ledger.tail.reached:\n",
        "            if True:\n",
        ("test_reader",),
    ),
    Mutation(
        "reader: doubt is not settled",
        "for work_id in sorted(ledger.doubtful):",
        "for work_id in ():",
        ("test_reader",),
    ),
    Mutation(
        "reader: each doubtful item is counted by itself",
        "if work_id in ledger.doubtful:  # recounting",
        "if work_id:  # recounting",
        ("test_reader",),
    ),
    Mutation(
        "reader: a deleted environment is taken for deleted items",
        "            await self._source.list(None)  # an environment",
        "            pass  # an environment",
        ("test_reader",),
    ),
    Mutation(
        "reader: a list that leaves out what the API has is believed",
        "                raise LeftOutError(refuted)",
        "                pass",
        ("test_contradictions",),
    ),
    Mutation(
        "reader: an empty list is believed against the statistics",
        "            await believe_empty(self._queued)",
        "            pass",
        ("test_contradictions",),
    ),
    Mutation(
        "reader: an item that the list leaves out for ever fails every refresh",
        "refuted = (alone.found.keys() & left_out) - set(self._unlisted)",
        "refuted = alone.found.keys() & left_out",
        ("test_contradictions",),
    ),
    Mutation(
        "reader: everything that is left out is asked for in one refresh",
        "room = int(min(len(work_ids), max(0, self._source.left - RESERVE)))",
        "room = len(work_ids)",
        ("test_contradictions",),
    ),
    Mutation(
        "lookup: what is left out of a part that is read again has vanished",
        "        if lookup.found:\n            raise LeftOutError(lookup.found)",
        "        lookup.gone |= lookup.found.keys()",
        ("test_contradictions",),
    ),
    Mutation(
        "lookup: an empty list is believed against the statistics",
        "    if count:\n",
        "    if False:\n",
        ("test_contradictions",),
    ),
    Mutation(
        "traversal: nothing but live items shows which list was read",
        "self._ledger.expected(reading, anchors=SAMPLE)",
        "self._ledger.expected(reading)",
        ("test_contradictions",),
    ),
    Mutation(
        "source: a refresh sends as many requests as the API makes it",
        "        if not self.left:\n",
        "        if False:\n",
        ("test_contradictions",),
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
        "reading: of two readings the earlier counts",
        "(other.item.live, -other.item.read_at) > (sighting.item.live, -sighting.item.read_at)",
        "(other.item.live, -other.item.read_at) < (sighting.item.live, -sighting.item.read_at)",
        ("test_ledger",),
    ),
    Mutation(
        "ledger: what happened during the first reading counts",
        "        if not self.complete:\n            return Lifecycle.past(item)\n",
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
        "tracker: data are shown however old they are",
        "return monotonic() - moment <= self._settings.max_staleness",
        "return True",
        ("test_fleet",),
    ),
    Mutation(
        "tracker: a refresh that never ends leaves the environment up",
        "up=self._results.up and self._recent(self._results.ended)",
        "up=self._results.up",
        ("test_deadlines",),
    ),
    Mutation(
        "tasks: what stands still is waited for",
        "            if left <= 0:\n",
        "            if False:\n",
        ("test_deadlines",),
    ),
    Mutation(
        "witness: a difference of one refresh counts",
        "LASTING = 3",
        "LASTING = 1",
        ("test_witness",),
    ),
    Mutation(
        "witness: items that come and go are a difference",
        "    if abs(more) <= queue.moving:\n        more = 0\n",
        "",
        ("test_witness",),
    ),
    Mutation(
        "witness: the statistics' oldest item says nothing",
        "    return Difference(more, oldest) if more or oldest is not None else None",
        "    return Difference(more, None) if more else None",
        ("test_witness",),
    ),
    Mutation(
        "witness: items too old to be watched are missed",
        "if since is not None and more > 0 and (oldest is None or oldest < since):",
        "if False:",
        ("test_witness",),
    ),
    Mutation(
        "witness: the list is searched again and again",
        "now >= self._not_before",
        "True",
        ("test_witness",),
    ),
    Mutation(
        "witness: statistics that count pending items twice are never understood",
        "self.overlapping, found = True, None",
        "pass",
        ("test_witness",),
    ),
    Mutation(
        "suspects: the time of a hidden item says nothing about its place",
        "*(dated if len(dated) <= MOST else [])",
        "*[]",
        ("test_witness",),
    ),
    Mutation(
        "tracker: nothing is searched for",
        "                self.resync.search(missed.hidden, missed.oldest)",
        "                pass",
        ("test_witness",),
    ),
    Mutation(
        "tracker: a dispute is not shown",
        "disputed=self._statistics.disputed",
        "disputed=False",
        ("test_witness",),
    ),
    Mutation(
        "resync: a search is given up when the likely places show nothing",
        "        return await self._read(source)\n\n    async def _read_pages",
        "        return True\n\n    async def _read_pages",
        ("test_witness",),
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
        "discovery: what was watched and cannot be read now is missing",
        "for id_ in self.skipped if id_ in known",
        "for id_ in () if id_ in known",
        ("test_discovery",),
    ),
    Mutation(
        "without_id: a page that is read again forgets nothing",
        "if start <= place < last]",
        "if start <= place < last and False]",
        ("test_unreadable",),
    ),
    Mutation(
        "without_id: the first item of a page stands at the list's start",
        "place = start if before is None else before",
        'place = "" if before is None else before',
        ("test_unreadable",),
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
        "if now.state == QUEUED and before.state != QUEUED:",
        "if now.state == QUEUED:",
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
        "traversal: the last known item ends a stretch although its segment goes on",
        "if known is None or last > known:",
        "if known is None or last >= known:",
        ("test_traversal",),
    ),
    Mutation(
        "traversal: a failed one begins anew",
        "self._walk = Walk(source, ledger.traversed, self._cursors())",
        "ledger.traversed = None\n        self._walk = Walk(source, ledger.traversed, self._cursors())",
        ("test_traversal",),
    ),
    Mutation(
        "traversal: what lies behind the last boundary of a page counts, too",
        "if cut is None or sighting.item.id <= cut]",
        "if True]",
        ("test_traversal",),
    ),
    Mutation(
        "traversal: pages follow one another without a pause after each cut",
        "self._walk.go_to(position, self._cursors())",
        "self._walk = Walk(self._walk._source, position, self._cursors())",
        ("test_traversal",),
    ),
    Mutation(
        "resync: an unfinished traversal is not gone on with",
        "if self._ledger.traversed != self._ledger.origin:",
        "if False:",
        ("test_traversal",),
    ),
    Mutation(
        "resync: a traversal starts over again and again",
        "                if started_over:",
        "                if False:",
        ("test_lookback",),
    ),
    Mutation(
        "tracker: two refreshes at once",
        "if self._refresh is not None and not self._refresh.done():",
        "if False:",
        ("test_fleet",),
    ),
    Mutation(
        "resync: lookback is fixed before the clock is proven",
        "if self._api.clock.skew is None:",
        "if False:",
        ("test_lookback",),
    ),
    Mutation(
        "lookback: the first young item is left out",
        "            return True, origin\n",
        "            return True, Origin(item.id, None)\n",
        ("test_lookback",),
    ),
    Mutation(
        "record: doubt does not survive",
        "doubtful=set(record.doubtful),",
        "doubtful=set(),",
        ("test_checkpoint",),
    ),
    Mutation(
        "discovery: one short list is believed",
        "CONFIRMATIONS = 2",
        "CONFIRMATIONS = 1",
        ("test_discovery",),
    ),
    Mutation(
        "discovery: what is missing is forgotten at once",
        "self._found = {id_: known[id_] for id_ in self._missing} | present",
        "self._found = present",
        ("test_discovery",),
    ),
    Mutation(
        "roster: an environment that is lost is let go with live items",
        "return view.history_complete and not tracker.items()",
        "return True",
        ("test_discovery",),
    ),
    Mutation(
        "roster: an environment that returns begins anew",
        "_, tracker = self._parked.pop(key)",
        "tracker = None",
        ("test_discovery", "test_reconfigure"),
    ),
    Mutation(
        "roster: the last account that sees an environment reads it",
        "owner, _ = wanted.setdefault(key, (account, name))",
        "wanted[key] = (owner, _) = (account, name)",
        ("test_reconfigure",),
    ),
    Mutation(
        "fleet: another client begins to count anew",
        "account.succeed(old)",
        "pass",
        ("test_reconfigure",),
    ),
    Mutation(
        "checkpoint: another process's file is overwritten",
        "        except InUseError:\n            os.close(handle)\n            raise",
        "        except InUseError:\n            os.close(handle)\n            return",
        ("test_checkpoint::test_two_processes_with_one_file_are_noticed",),
    ),
    Mutation(
        "checkpoint: what a killed write left stays",
        "                        leftover.unlink(missing_ok=True)",
        "                        pass",
        ("test_checkpoint::test_a_temporary_file_that_somebody_is_writing_stays",),
    ),
    Mutation(
        "schedule: the youngest data come first",
        "turn = tracker.begun_at + (0.0 if tracker.busy else self._lag)",
        "turn = -tracker.begun_at + (0.0 if tracker.busy else self._lag)",
        ("test_schedule",),
    ),
    Mutation(
        "schedule: what hangs keeps its place",
        "overdue = asyncio.get_running_loop().call_later(self._place_seconds, place.leave)",
        "overdue = asyncio.get_running_loop().call_later(36_000, place.leave)",
        ("test_schedule::test_what_hangs_gives_up_its_place",),
    ),
    Mutation(
        "checkpoint: a damaged file is believed",
        "if zlib.crc32(body) != header.crc32:",
        "if False:",
        ("test_checkpoint",),
    ),
    Mutation(
        "observation: every value becomes a label",
        "if len(values) >= self._limit:",
        "if False:",
        ("test_metadata_labels",),
    ),
    Mutation(
        "ranges: ranges are joined although something may be missing between them",
        "joins = self._entered == 0 or (each.first or each.following) == self._expected",
        "joins = True",
        ("test_ranges",),
    ),
)


def fails(root: Path, tests: Sequence[str]) -> bool:
    """Whether these tests fail on the package under this directory, or do not come to an end.

    Raises:
        RuntimeError: They could not be run.
    """
    paths = [
        f"tests/tracking/{test}".replace("::", ".py::") if "::" in test else f"tests/tracking/{test}.py"
        for test in tests
    ]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *paths]
    environment = os.environ | {"MODEL_SEED": "1", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if run.returncode not in (0, 1):
        raise RuntimeError(run.stdout + run.stderr)
    return run.returncode == 1


def copy(root: Path) -> None:
    """Copy what the tests need."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "exporter", root / "exporter", ignore=ignored)
    for tests in ("tracking", "support"):
        shutil.copytree(ROOT / "tests" / tests, root / "tests" / tests, ignore=ignored)
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / name, root / name)


def outcome(mutation: Mutation | None, tests: Sequence[str]) -> str:
    """What becomes of one change, or of none: killed, survived, or why it could not be tried."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        copy(root)
        try:
            if mutation is not None:
                mutation.apply(root)
            return "killed" if fails(root, tests) else "survived"
        except (LookupError, RuntimeError) as error:
            return f"NOT TRIED: {error}"


def main() -> int:
    """Run the program; the exit status tells whether every change was killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only changes whose names begin so")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many to try at once")
    parser.add_argument("--list", action="store_true", help="print the changes and try none")
    arguments = parser.parse_args()
    chosen = [each for each in MUTATIONS if not arguments.names or each.name.startswith(tuple(arguments.names))]
    if arguments.list:
        print("\n".join(f"{each.name}  ({', '.join(each.tests)})" for each in chosen))
        return 0
    needed = sorted({test for mutation in chosen for test in mutation.tests})
    if outcome(None, needed) != "survived":
        print("the tests fail without any change")
        return 1
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = list(pool.map(lambda mutation: outcome(mutation, mutation.tests), chosen))
    for mutation, became in zip(chosen, outcomes, strict=True):
        print(f"{became:8} {mutation.name}")
    killed = outcomes.count("killed")
    print(f"{killed} of {len(chosen)} killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
