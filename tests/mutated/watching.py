"""Mutations of what goes on around a reading: trackers, witnesses, discovery, the roster, the checkpoint."""

from tests.mutated.mutation import Mutation

WATCHING = (
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
        "discovery: what was watched and cannot be read now is missing",
        "for id_ in self.skipped if id_ in known",
        "for id_ in () if id_ in known",
        ("test_discovery",),
    ),
    Mutation(
        "tracker: two refreshes at once",
        "if self._refresh is not None and not self._refresh.done():",
        "if False:",
        ("test_fleet",),
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
)
