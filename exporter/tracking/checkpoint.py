"""What must survive a restart, in one file of records. It holds no secret.

The first line names the format and carries a checksum of the rest. The file is replaced as a whole, so that it is the
old one or the new one whatever happens.
"""

import contextlib
import errno
import fcntl
import os
import re
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import structlog

from exporter.spans import monotonic
from exporter.tracking.record import EnvironmentRecord, encoded, frozen, restore_lifecycle

FORMAT = "qoder-work-exporter checkpoint"
VERSION = 1

KEPT_FOR = 30 * 86400.0
"""Seconds for which an environment that is no longer watched is kept, in case it comes back."""

MAX_COUNT = 2**53
"""More than any number in a record can be."""

log = structlog.get_logger()


class _Header(msgspec.Struct, frozen=True):
    format: str
    version: int
    crc32: int


class InUseError(OSError):
    """Another process writes the same file."""


class Checkpoint:
    """The file, and what is known of environments, watched at the moment or not.

    While a process uses the file it holds a lock on it, so that a second one notices.

    Args:
        path: Where the file is.
        now: Unix time on this machine's clock.

    Attributes:
        path: Where the file is.
        usable: Whether it may be written: not if one is there that can neither be read nor set aside.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.usable = True
        self._records: dict[tuple[str, str], EnvironmentRecord] = {}
        self._kept_until: dict[tuple[str, str], float] = {}  # on the clock of spans: the other one may be set
        self._now = now
        self._written = b""
        self._lock: int | None = None

    def load(self) -> None:
        """Read the file; one that cannot be used is set aside with a warning. Remove what a killed write left."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = None
        except (OSError, ValueError) as error:
            self.usable = False
            why = getattr(error, "strerror", None) or str(error)
            log.warning("checkpoint cannot be read and is not used", path=str(self.path), error=why)
            return
        self._remove_leftovers()
        if content is None:
            return
        try:
            records = _decode(content)
        except ValueError as error:
            self._set_aside(str(error))
            return
        for record in records:
            self._remember(record, max(0.0, self._now() - record.saved_at))
        log.info("checkpoint read", path=str(self.path), environments=len(self._records))
        try:
            self._acquire()
        except InUseError as error:
            log.warning("another process uses the checkpoint; give each its own", path=str(self.path), why=str(error))

    def known(self, base_url: str, environment_id: str) -> EnvironmentRecord | None:
        """What is known of an environment that is to be watched."""
        return self._records.get((base_url, environment_id))

    def keep(self, record: EnvironmentRecord) -> None:
        """Remember an environment that is no longer watched."""
        self._remember(record)

    def _remember(self, record: EnvironmentRecord, age: float = 0.0) -> None:
        key = record.base_url, record.environment_id
        self._records[key] = record
        self._kept_until[key] = monotonic() + KEPT_FOR - age

    def inherit(self, other: "Checkpoint") -> None:
        """Remember what another file knows, but for what this one knows from a later time."""
        for key, record in other._records.items():
            mine = self._records.get(key)
            if mine is None or mine.saved_at <= record.saved_at:
                self._records[key] = record
                self._kept_until[key] = other._kept_until[key]

    def encode(self, current: Iterable[EnvironmentRecord]) -> bytes | None:
        """The file's next content, or None if it is the same as before; the arguments are those of :meth:`gather`."""
        return self.pack(self.gather(current))

    def gather(self, current: Iterable[EnvironmentRecord]) -> list[EnvironmentRecord]:
        """Return all records of the file's next content; they stay as they are, whatever is read meanwhile.

        Args:
            current: The environments watched now; what is known of others stays.

        Raises:
            OSError: The file must not be written.
        """
        if not self.usable:
            raise OSError("the file that is there can neither be read nor set aside")
        watched = {(record.base_url, record.environment_id): record for record in current}
        now = monotonic()
        self._kept_until |= dict.fromkeys(watched, now + KEPT_FOR)
        self._kept_until = {key: until for key, until in self._kept_until.items() if until >= now}
        self._records = {key: record for key, record in self._records.items() if key in self._kept_until} | watched
        return [frozen(record) if key in watched else record for key, record in self._records.items()]

    def pack(self, records: Iterable[EnvironmentRecord]) -> bytes | None:
        """Return these records as content of the file, or None if it is the same as before. May run in a thread."""
        body = b"[" + b",".join(map(encoded, records)) + b"]"
        header = msgspec.json.encode(_Header(FORMAT, VERSION, zlib.crc32(body)))
        return header + b"\n" + body if header != self._written else None

    def save(self, records: Iterable[EnvironmentRecord]) -> None:
        """Write these records unless they are in the file already. May run in a thread.

        Raises:
            OSError: The file cannot be written, or another process uses it.
        """
        content = self.pack(records)
        if content is not None:
            self.write(content)

    def write(self, content: bytes) -> None:
        """Replace the file as a whole, and see to it that it is on the disk.

        Raises:
            OSError: It cannot be written, or another process uses it.
        """
        self._acquire()
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            _lock(handle)
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException as error:
            os.close(handle)
            Path(temporary).unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.EBUSY, errno.EXDEV):
                why = "it is mounted as a single file and cannot be replaced; mount its directory instead"
                raise OSError(error.errno, why) from None
            raise
        self._hold(handle)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._written = content.partition(b"\n")[0]

    def close(self) -> None:
        """Leave the file to others."""
        self._hold(None)

    def _acquire(self) -> None:
        """Lock the file that is there now, if there is one.

        Raises:
            InUseError: Another process has locked it.
            OSError: It cannot be opened.
        """
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        if self._lock is not None and os.path.sameopenfile(handle, self._lock):
            os.close(handle)
            return
        try:
            _lock(handle)
        except InUseError:
            os.close(handle)
            raise
        self._hold(handle)

    def _hold(self, handle: int | None) -> None:
        """Keep a locked file open, and close the previous one."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = handle

    def _remove_leftovers(self) -> None:
        """Remove temporary files of writes that were killed; one that is being written is locked, and stays."""
        pattern = re.compile(re.escape(f".{self.path.name}.") + "[a-z0-9_]{8}")
        with contextlib.suppress(OSError):  # a directory that cannot be listed; writing will say so
            for name in filter(pattern.fullmatch, os.listdir(self.path.parent)):
                leftover = self.path.with_name(name)
                with contextlib.suppress(OSError):
                    handle = os.open(leftover, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                    try:
                        _lock(handle)
                        leftover.unlink(missing_ok=True)
                    finally:
                        os.close(handle)

    def _set_aside(self, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.set-aside-{int(self._now())}")
        try:
            self.path.rename(aside)
        except OSError as error:
            self.usable = False
            log.warning("checkpoint is not used", path=str(self.path), why=why, error=error.strerror)
        else:
            log.warning("checkpoint is not used and was set aside", path=str(self.path), why=why, now=str(aside))


def _lock(handle: int) -> None:
    """Lock an open file until it is closed; file systems without locks are taken to have one user.

    Raises:
        InUseError: Another process has locked it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InUseError(errno.EAGAIN, "another process uses it; give each exporter a checkpoint of its own") from None
    except OSError:
        log.debug("the checkpoint's file system has no locks")


def _decode(content: bytes) -> list[EnvironmentRecord]:
    """The records in a file.

    Raises:
        ValueError: It is not this version's checkpoint, or it is damaged.
    """
    first, _, body = content.partition(b"\n")
    try:
        header = msgspec.json.decode(first, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is no checkpoint of this exporter") from None
    if header.format != FORMAT:
        raise ValueError("it is no checkpoint of this exporter")
    if header.version != VERSION:
        raise ValueError(f"it has version {header.version}, this exporter reads version {VERSION}")
    if zlib.crc32(body) != header.crc32:
        raise ValueError("it is damaged: its checksum does not fit")
    try:
        records = msgspec.json.decode(body, type=list[EnvironmentRecord])
        for record in records:
            restore_lifecycle(record.lifecycle)
            _check(record)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its content does not fit this version: {error}") from None
    return records


def _check(record: EnvironmentRecord) -> None:
    """Find what no ledger can have led to.

    Raises:
        ValueError: The record makes no sense.
    """
    counted = record.lifecycle
    numbers = [
        *(counted.created, counted.stopped, counted.requeued, counted.vanished, record.corrections),
        *(number for counts, total in counted.histograms.values() for number in (*counts, total)),
        *(segment.size for segment in record.segments),
        *(count for segment in record.segments for _, count in segment.stopped),
        *(item.offset for item in record.live),
        *record.without_id.values(),
    ]
    if not all(0 <= number < MAX_COUNT for number in numbers):
        raise ValueError("a count is negative or beyond all bounds")
    if any(sum(count for _, count in segment.stopped) > segment.size for segment in record.segments):
        raise ValueError("more items have stopped than there are")
    end = record.segments[-1].end if record.segments else ""
    if any(item.seen.id > end for item in record.live):
        raise ValueError("a live item lies beyond the end of the list")
    ids = [item.seen.id for item in record.live]
    if len(set(ids)) < len(ids):
        raise ValueError("a live item is there twice")
    if any(len(labels) != len(record.metadata_keys) for segment in record.segments for labels, _ in segment.stopped):
        raise ValueError("its labels are not those of its metadata keys")
    if any(len(item.seen.labels) != len(record.metadata_keys) for item in record.live):
        raise ValueError("its labels are not those of its metadata keys")
