"""What must survive a restart, in one file of records. It holds no secret.

The first line names the format and carries a checksum of the rest. The file is replaced as a whole, so that it is the
old one or the new one whatever happens.
"""

import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import structlog

from exporter.tracking.record import EnvironmentRecord, restore_lifecycle

FORMAT = "qoder-work-exporter checkpoint"
VERSION = 1

KEPT_FOR = 30 * 86400.0
"""Seconds for which an environment that is no longer watched is kept, in case it comes back."""

log = structlog.get_logger()


class _Header(msgspec.Struct, frozen=True):
    format: str
    version: int
    crc32: int


class Checkpoint:
    """The file, and what is known of environments, watched at the moment or not.

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
        self._now = now
        self._written = b""

    def load(self) -> None:
        """Read the file; one that cannot be used is set aside with a warning."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            self.usable = False
            log.warning("checkpoint cannot be read and is not used", path=str(self.path), error=error.strerror)
            return
        try:
            records = _decode(content)
        except ValueError as error:
            self._set_aside(str(error))
            return
        self._records = {(record.base_url, record.environment_id): record for record in records}
        log.info("checkpoint read", path=str(self.path), environments=len(self._records))

    def known(self, base_url: str, environment_id: str) -> EnvironmentRecord | None:
        """What is known of an environment that is to be watched."""
        return self._records.get((base_url, environment_id))

    def keep(self, record: EnvironmentRecord) -> None:
        """Remember an environment that is no longer watched."""
        self._records[record.base_url, record.environment_id] = record

    def encode(self, current: Iterable[EnvironmentRecord]) -> bytes | None:
        """The file's next content, or None if it is the same as before.

        Args:
            current: The environments watched now; what is known of others stays.
        """
        if not self.usable:
            return None
        watched = {(record.base_url, record.environment_id): record for record in current}
        oldest = self._now() - KEPT_FOR
        others = {key: record for key, record in self._records.items() if record.saved_at >= oldest}
        self._records = others | watched
        body = msgspec.json.encode(list(self._records.values()))
        header = msgspec.json.encode(_Header(FORMAT, VERSION, zlib.crc32(body)))
        return header + b"\n" + body if header != self._written else None

    def write(self, content: bytes) -> None:
        """Replace the file as a whole, and see to it that it is on the disk.

        Raises:
            OSError: It cannot be written.
        """
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        self._written = content.partition(b"\n")[0]

    def _set_aside(self, why: str) -> None:
        aside = self.path.with_name(f"{self.path.name}.set-aside-{int(self._now())}")
        try:
            self.path.rename(aside)
        except OSError as error:
            self.usable = False
            log.warning("checkpoint is not used", path=str(self.path), why=why, error=error.strerror)
        else:
            log.warning("checkpoint is not used and was set aside", path=str(self.path), why=why, now=str(aside))


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
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its content does not fit this version: {error}") from None
    return records
