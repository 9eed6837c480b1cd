"""What is known survives a restart; a file that cannot be used is set aside, and never a crash."""

import fcntl
import os
import random
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.simulator import DEFAULT_TOKEN, Options, Status
from exporter.tracking import checkpoint
from exporter.tracking.checkpoint import KEPT_FOR, Checkpoint, InUseError
from exporter.tracking.record import EnvironmentRecord, record_lifecycle, restore_ledger
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.tracker import Tracker
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected

LABELS = tracking_settings(min_interval=0, metadata_keys=("job",), max_label_values=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


def read(watched: Watched, size: int = 450, live_every: int = 50) -> None:
    """Create a list, and let the tracker read it."""
    for number in range(size):
        state = ("queued", "starting", "active", "stopping")[number % 4] if number % live_every == 0 else "stopped"
        watched.simulation.create_work(watched.id, state=state, metadata={"job": f"job-{number % 5}"})
    watched.queue()


def save(watched: Watched, path: Path) -> bytes:
    """Write the tracker's record, and return the file's content."""
    file = Checkpoint(path, watched.clock.now)
    content = file.encode([watched.tracker.record()])
    assert content is not None
    file.write(content)
    file.close()
    return content


def load(watched: Watched, path: Path) -> EnvironmentRecord | None:
    """The record that a new process finds in the file."""
    file = Checkpoint(path, watched.clock.now)
    file.load()
    file.close()
    return file.known(watched.api.settings.base_url, watched.id)


def truth(watched: Watched) -> dict[str, Any]:
    return vars(expected(watched.truth()))


def whole(tracker: Tracker) -> dict[str, Any]:
    """Everything that a tracker knows, apart from exemplars."""
    ledger = tracker.ledger
    counted = record_lifecycle(ledger.lifecycle)
    plain = {
        name: getattr(ledger, name) for name in ("origin", "since", "traversed", "complete", "began", "corrections")
    }
    return plain | {
        "recent": ledger.tail.ids,
        "live": dict(ledger.live),
        "segments": list(ledger.history.segments),
        "stopped": ledger.history.stopped,
        "doubtful": ledger.doubtful,
        "lifecycle": counted,
        "labels": tracker.labeller.known,
        "traversed_at": tracker.traversed_at,
    }


# -- what survives ----------------------------------------------------------------------------------------------------


@settings(max_examples=20 * FACTOR)
@given(seed=st.integers(0, 2**32))
def test_everything_that_is_known_survives(seed: int) -> None:
    chance = random.Random(seed)
    options = Options(lease_expiry="keep")
    with Watched(options, tracking_settings(min_interval=0, metadata_keys=("job",), lookback=86400.0)) as watched:
        watched.simulation.create_work(watched.id, state="stopped", created_at=watched.clock.now() - 90000)
        read(watched, chance.randrange(1, 300), chance.randrange(1, 40))
        for _ in range(3):
            watched.clock.advance(chance.random() * 1000)
            live = [item.id for item in watched.truth().live]
            for work_id in chance.sample(live, len(live) // 2):
                watched.simulation.force(watched.id, work_id, chance.choice(["queued", "starting", "stopped"]))
            watched.simulation.create_work(watched.id)
            watched.queue()
        before = whole(watched.tracker)
        assert before["origin"] is not None
        watched.restart()
        assert whole(watched.tracker) == before


def test_doubt_survives(watched: Watched) -> None:
    """The end was deleted, and the segment could not be recounted before the exporter stopped."""
    read(watched, live_every=1000)
    watched.simulation.delete_work(watched.id, watched.simulation.work_ids(watched.id)[-1])
    watched.simulation.faults.add(Status(status=403, endpoint="list", skip=2))
    assert not watched.refresh().up
    assert watched.tracker.ledger.doubtful
    watched.simulation.faults.clear()
    watched.restart()
    assert shown(watched.queue()) == truth(watched)


def test_the_first_refresh_after_a_restart_reads_only_what_can_have_changed(watched: Watched) -> None:
    read(watched)
    watched.queue()
    usual = len(watched.transport.requests)
    watched.restart()
    assert shown(watched.queue()) == truth(watched)
    assert len(watched.transport.requests) == usual
    assert watched.tracker.view().history_complete


def test_everything_is_shown_right_after_a_restart(watched: Watched) -> None:
    read(watched)
    watched.restart()
    view = watched.tracker.view()
    assert view.history_complete
    assert view.lifecycle is not None
    assert view.snapshot is None  # nothing has been read yet


def test_items_that_came_and_went_while_the_exporter_was_down_are_counted_once(watched: Watched) -> None:
    read(watched)
    watched.simulation.create_work(watched.id, state="active")
    watched.queue()
    before = watched.tracker.ledger.lifecycle.copy()
    watched.restart()
    for state in ("stopped", "stopped", "queued"):
        watched.simulation.create_work(watched.id, state=state)
    for _ in range(2):
        watched.queue()
        watched.restart()
    after = watched.tracker.ledger.lifecycle
    assert (after.created - before.created, after.stopped - before.stopped) == (3, 2)
    assert after.wait.count - before.wait.count == 2


def test_a_resync_is_not_due_again_after_a_restart(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, resync_interval=3600))
    read(watched, live_every=1000)
    watched.clock.advance(3000)
    watched.restart()
    watched.queue()
    assert None not in watched.asked("list")
    watched.clock.advance(700)
    watched.queue()
    watched.traverse()
    assert None in watched.asked("list")


@pytest.mark.parametrize(
    "changed",
    [
        tracking_settings(min_interval=0, metadata_keys=("job", "team"), max_label_values=3),
        tracking_settings(min_interval=0, metadata_keys=("job",), max_label_values=2),
        tracking_settings(min_interval=0, metadata_keys=("job",), max_label_values=3, lookback=1e6),
    ],
    ids=["keys", "values", "lookback"],
)
def test_where_counts_would_be_others_the_list_is_read_again_and_counters_go_on(
    watch: Watch, changed: TrackingSettings
) -> None:
    watched = watch(settings=LABELS)
    read(watched)
    watched.simulation.create_work(watched.id, state="stopped")
    watched.queue()
    watched.restart(changed)
    assert not watched.tracker.view().history_complete
    assert watched.tracker.view().lifecycle is None
    assert shown(watched.queue()) == truth(watched)
    fresh = watch(settings=changed)
    fresh.simulation, fresh.id, fresh.transport.inner = watched.simulation, watched.id, watched.transport.inner
    fresh.tracker = fresh.new_tracker()
    view = watched.tracker.view()
    assert view.snapshot is not None
    assert view.snapshot.counts == fresh.queue().counts
    assert watched.tracker.ledger.lifecycle.created == 1
    assert fresh.tracker.ledger.lifecycle.created == 0


def test_more_label_values_do_not_matter_where_there_are_no_labels(watched: Watched) -> None:
    read(watched)
    watched.restart(tracking_settings(min_interval=0, max_label_values=7))
    assert watched.tracker.view().history_complete


# -- the file ---------------------------------------------------------------------------------------------------------


def test_what_was_written_is_read(watched: Watched, path: Path) -> None:
    read(watched)
    save(watched, path)
    assert load(watched, path) == watched.tracker.record()


def test_no_file_is_no_problem(watched: Watched, path: Path) -> None:
    with capture_logs() as logs:
        assert load(watched, path) is None
    assert not logs


def test_the_same_content_is_not_written_again(watched: Watched, path: Path) -> None:
    read(watched, live_every=1000)
    file = Checkpoint(path, watched.clock.now)
    content = file.encode([watched.tracker.record()])
    assert content is not None
    file.write(content)
    watched.clock.advance(20)
    watched.queue()
    watched.simulation.delete_work(watched.id, watched.simulation.work_ids(watched.id)[0])  # the one live item
    watched.queue()
    changed = file.encode([watched.tracker.record()])
    assert changed is not None
    file.write(changed)
    watched.clock.advance(20)
    watched.queue()
    assert file.encode([watched.tracker.record()]) is None


def test_what_could_not_be_written_is_written_the_next_time(watched: Watched, tmp_path: Path) -> None:
    read(watched)
    file = Checkpoint(tmp_path / "missing" / "checkpoint", watched.clock.now)
    content = file.encode([watched.tracker.record()])
    assert content is not None
    with pytest.raises(FileNotFoundError):
        file.write(content)
    assert file.encode([watched.tracker.record()]) == content


def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    watched: Watched, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(watched)
    old = save(watched, path)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        Checkpoint(path).write(b"something else")
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == [path.name]


def test_a_write_that_was_cut_short_leaves_the_old_file_readable(watched: Watched, path: Path) -> None:
    read(watched)
    save(watched, path)
    (path.parent / f".{path.name}.abcdef").write_bytes(b"half a che")
    assert load(watched, path) == watched.tracker.record()


def test_nobody_else_may_read_the_file(watched: Watched, path: Path) -> None:
    read(watched)
    save(watched, path)
    assert path.stat().st_mode & 0o077 == 0


def test_the_file_holds_no_secret(watch: Watch, path: Path) -> None:
    watched = watch(Options(secret="everywhere"), LABELS)
    for number in range(20):
        state = "active" if number % 2 else "stopped"
        watched.simulation.create_work(watched.id, state=state, metadata={"job": "train", "customer": "hush-hush"})
    watched.queue()
    content = save(watched, path).decode()
    assert "train" in content
    assert DEFAULT_TOKEN not in content
    assert "hush-hush" not in content
    assert "wsk-" not in content


def spoil_version(content: bytes) -> bytes:
    first, _, body = content.partition(b"\n")
    return first.replace(b'"version":1', b'"version":0') + b"\n" + body


def spoil_histograms(content: bytes) -> bytes:
    records = msgspec.json.decode(content.partition(b"\n")[2])
    records[0]["lifecycle"]["histograms"]["wait"][0].append(0)
    return forged(records)


def spoil_names(content: bytes) -> bytes:
    records = msgspec.json.decode(content.partition(b"\n")[2])
    records[0]["lifecycle"]["histograms"]["nap"] = records[0]["lifecycle"]["histograms"].pop("wait")
    return forged(records)


def spoil_fields(content: bytes) -> bytes:
    records = msgspec.json.decode(content.partition(b"\n")[2])
    del records[0]["segments"]
    return forged(records)


def forged(records: Any) -> bytes:
    """A file with this content and a fitting checksum."""
    return signed(msgspec.json.encode(records))


def signed(body: bytes) -> bytes:
    header = checkpoint._Header(checkpoint.FORMAT, checkpoint.VERSION, zlib.crc32(body))
    return msgspec.json.encode(header) + b"\n" + body


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "no checkpoint of this exporter"),
    "no first line": (lambda content: b"\n" + content, "no checkpoint of this exporter"),
    "half": (lambda content: content[: len(content) // 2], "damaged"),
    "half of the first line": (lambda content: content[:20], "no checkpoint of this exporter"),
    "first line alone": (lambda content: content.partition(b"\n")[0], "damaged"),
    "more at the end": (lambda content: content + b" ", "damaged"),
    "older version": (spoil_version, "version 0, this exporter reads version 1"),
    "other JSON": (lambda content: b'{"a": 1}', "no checkpoint of this exporter"),
    "other format": (lambda content: content.replace(b"qoder-work-exporter", b"another-exporter"), "no checkpoint"),
    "no text": (lambda content: bytes(range(256)), "no checkpoint of this exporter"),
    "deeply nested": (lambda content: b'{"x":' + b"[" * 100_000, "no checkpoint of this exporter"),
    "nested content": (lambda content: signed(b'[{"x":' + b"[" * 100_000), "does not fit this version"),
    "other buckets": (spoil_histograms, "do not fit"),
    "other histograms": (spoil_names, "other histograms"),
    "missing fields": (spoil_fields, "segments"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_cannot_be_used_is_set_aside_with_a_warning(watched: Watched, path: Path, how: str) -> None:
    read(watched, 50)
    spoil, why = SPOILT[how]
    spoilt = spoil(save(watched, path))
    path.write_bytes(spoilt)
    with capture_logs() as logs:
        assert load(watched, path) is None
    (warning,) = logs
    assert warning["log_level"] == "warning"
    assert why in warning["why"]
    assert warning["path"] == str(path)
    assert Path(warning["now"]).read_bytes() == spoilt
    save(watched, path)
    assert load(watched, path) == watched.tracker.record()


@settings(max_examples=60 * FACTOR)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, position: float, bit: int) -> None:
    with Watched() as watched:
        path = tmp_path_factory.mktemp("flipped") / "checkpoint"
        read(watched, 5, 2)
        content = bytearray(save(watched, path))
        content[int(position * len(content))] ^= 1 << bit
        path.write_bytes(content)
        assert load(watched, path) is None


def test_a_file_that_can_neither_be_read_nor_set_aside_is_left_alone(watched: Watched, path: Path) -> None:
    path.mkdir()
    file = Checkpoint(path)
    with capture_logs() as logs:
        file.load()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    read(watched, 5)
    with pytest.raises(OSError, match="can neither be read nor set aside"):
        file.encode([watched.tracker.record()])
    assert path.is_dir()


def test_a_damaged_file_that_cannot_be_renamed_is_left_alone(
    watched: Watched, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"damaged")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    file = Checkpoint(path)
    with capture_logs() as logs:
        file.load()
    assert logs[0]["error"] == "Permission denied"
    read(watched, 5)
    with pytest.raises(OSError, match="can neither be read nor set aside"):
        file.encode([watched.tracker.record()])
    assert path.read_bytes() == b"damaged"


# -- environments that are not watched --------------------------------------------------------------------------------


def test_an_environment_that_is_not_watched_now_is_kept_for_a_while(watched: Watched, path: Path) -> None:
    read(watched, 5)
    save(watched, path)
    watched.clock.advance(KEPT_FOR - 7200)
    file = Checkpoint(path, watched.clock.now)
    file.load()
    content = file.encode([])
    assert content is not None
    file.write(content)
    file.close()
    assert load(watched, path) is not None
    watched.clock.advance(2 * 7200)
    file.load()
    content = file.encode([])
    assert content is not None
    file.write(content)
    file.close()
    assert load(watched, path) is None


@pytest.mark.parametrize("ahead", [-2 * KEPT_FOR, 2 * KEPT_FOR])
def test_setting_the_clock_does_not_make_a_running_exporter_forget_what_is_not_watched_now(
    watched: Watched, path: Path, ahead: float
) -> None:
    read(watched, 5)
    save(watched, path)
    file = Checkpoint(path, watched.now)
    file.load()
    watched.ahead = ahead
    assert len(file.gather([])) == 1
    watched.clock.advance(KEPT_FOR + 3600)
    assert file.gather([]) == []


def test_an_environment_that_is_watched_is_known_after_a_long_pause(watched: Watched, path: Path) -> None:
    read(watched, 5)
    save(watched, path)
    watched.clock.advance(2 * KEPT_FOR)
    assert load(watched, path) is not None


# -- what happens around the file -------------------------------------------------------------------------------------


def records(count: int, size: int = 300) -> bytes:
    """The content of a file with this many environments, about ten kilobytes each."""
    with Watched() as watched:
        read(watched, size)
        record = watched.tracker.record()
        file = Checkpoint(Path("unused"), watched.clock.now)
        content = file.encode(msgspec.structs.replace(record, environment_id=f"env_{n}") for n in range(count))
        assert content is not None
        return content


def test_a_write_that_is_killed_at_any_point_leaves_a_valid_file_and_after_the_next_start_no_other(path: Path) -> None:
    contents = [records(count) for count in (40, 41)]
    chance = random.Random(7)
    found = set()
    for _ in range(200):
        child = os.fork()
        if child == 0:  # it ends by the signal alone
            file = Checkpoint(path)
            while True:
                for content in contents:
                    file.write(content)
        time.sleep(chance.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        file = Checkpoint(path)
        with capture_logs() as logs:
            file.load()
        assert not [entry for entry in logs if entry["log_level"] != "info"]
        assert os.listdir(path.parent) in ([], [path.name])
        found.add(len(file._records))
        file.close()
    assert found >= {40, 41}


def test_a_temporary_file_that_somebody_is_writing_stays(path: Path) -> None:
    writing = path.with_name(f".{path.name}.abcdefgh")
    left = path.with_name(f".{path.name}.12345678")
    other = path.with_name(f".{path.name}-other.12345678")
    for each in (writing, left, other):
        each.write_bytes(b"half a che")
    with writing.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        Checkpoint(path).load()
    assert sorted(path.parent.iterdir()) == sorted([writing, other])


def test_two_processes_with_one_file_are_noticed(watched: Watched, path: Path) -> None:
    read(watched, 5)
    save(watched, path)
    first, second = Checkpoint(path, watched.clock.now), Checkpoint(path, watched.clock.now)
    first.load()
    with capture_logs() as logs:
        second.load()
    assert logs[-1]["event"] == "another process uses the checkpoint; give each its own"
    assert second.known(watched.api.settings.base_url, watched.id) is not None, "it is read all the same"
    read(watched, 5)
    content = second.encode([watched.tracker.record()])
    assert content is not None
    for _ in range(2):
        with pytest.raises(InUseError, match="another process uses it"):
            second.write(content)
        first.write(content)
    first.close()
    second.write(content)
    with pytest.raises(InUseError):
        first.write(content)


def test_two_processes_that_both_find_no_file_are_noticed(watched: Watched, path: Path) -> None:
    first, second = Checkpoint(path), Checkpoint(path)
    first.load()
    second.load()
    first.write(records(1))
    with pytest.raises(InUseError):
        second.write(records(2))


def test_a_file_that_is_a_mount_of_its_own_is_told_in_words(
    watched: Watched, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(watched, 5)
    old = save(watched, path)

    def busy(*_: Any) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(OSError, match="mounted as a single file and cannot be replaced; mount its directory instead"):
        Checkpoint(path).write(b"something else")
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == [path.name]


def corrupt(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    """A file whose checksum is right and whose content makes no sense."""

    def make(content: bytes) -> bytes:
        found = msgspec.json.decode(content.partition(b"\n")[2])
        change(found[0])
        return forged(found)

    return make


NONSENSE: dict[str, tuple[Callable[[Any], None], str]] = {
    "a negative counter": (lambda record: record["lifecycle"].update(created=-1), "negative"),
    "a counter beyond all bounds": (lambda record: record["lifecycle"].update(stopped=2**60), "beyond all bounds"),
    "a negative histogram": (lambda record: record["lifecycle"]["histograms"]["run"].__setitem__(1, -5.0), "negative"),
    "a list shorter than its items": (lambda record: record.update(segments=record["segments"][:1]), "beyond the end"),
    "more stopped than there are": (lambda record: record["segments"][0].__setitem__(1, 1), "more items have stopped"),
    "an item twice": (lambda record: record["live"].append(record["live"][0]), "twice"),
    "labels of no key": (lambda record: record.update(metadata_keys=["job"]), "labels"),
}


@pytest.mark.parametrize("how", NONSENSE)
def test_a_valid_checksum_with_content_that_makes_no_sense_is_set_aside(watched: Watched, path: Path, how: str) -> None:
    read(watched, 250)
    change, why = NONSENSE[how]
    path.write_bytes(corrupt(change)(save(watched, path)))
    with capture_logs() as logs:
        assert load(watched, path) is None
    (warning,) = logs
    assert why in warning["why"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def good() -> bytes:
    """A file's content."""
    return records(2)


@settings(max_examples=200 * FACTOR)
@given(data=st.data())
def test_whatever_a_file_holds_it_is_used_or_refused_by_name(good: bytes, data: st.DataObject) -> None:
    """Any part of the content becomes something else, with a right checksum; what is accepted can be restored."""
    found = msgspec.json.decode(good.partition(b"\n")[2])
    part, key = found, data.draw(st.integers(0, len(found) - 1))
    while data.draw(st.booleans()) and isinstance(part[key], dict | list) and part[key]:
        part = part[key]
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
    part[key] = data.draw(JSON)
    try:
        accepted = checkpoint._decode(forged(found))
    except ValueError as error:
        refused = str(error)
        assert refused.startswith("its content does not fit this version")
        return
    for known in accepted:
        ledger = restore_ledger(known)
        assert ledger.history.size >= 0
        assert len(ledger.live) == len(known.live)


@settings(max_examples=200 * FACTOR)
@given(
    content=st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.builds(signed, st.binary(max_size=99))
)
def test_any_bytes_are_refused_by_name(content: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        checkpoint._decode(content)
