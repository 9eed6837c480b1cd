"""Who may use the web server: the settings in force, read again while the server runs."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import structlog

log = structlog.get_logger()

CHECK_SECONDS = 1.0
"""Between two looks at the files."""

REPEAT_SECONDS = 60.0
"""Between two log lines about files that cannot be used."""


class SecurityError(Exception):
    """Settings that cannot be used.

    Attributes:
        problems: Why, a line for each reason.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests that may come.

    Attributes:
        interval: Seconds in which one request more may come.
        burst: Requests that may come at once.
    """

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class Security:
    """What protects the web server. Nothing does by default.

    Attributes:
        tls: How to speak TLS, None for plain HTTP.
        allowed_names: The Subject Alternative Names of client certificates that are let in, None for all.
        users: The bcrypt hashes of their passwords; empty where no password is asked for.
        headers: Headers that every response gets.
        rate: A bound on the requests of all clients together.
        files: What was read to make this.
    """

    tls: SSLContext | None = None
    allowed_names: frozenset[str] | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    rate: Rate | None = None
    files: tuple[Path, ...] = ()


class Watched:
    """Settings that are read again within a second of a change of their files, certificates included.

    Files that cannot be used change nothing: the settings before stay, and an error is logged at once and every minute.
    Neither do files that would take away TLS or the last user: an empty file, which an editor may leave for a moment,
    must not open the server. That takes a restart.

    The files are looked at in a thread of its own, as a file system that does not answer must not stop the server.

    Args:
        load: Reads the settings; raises `SecurityError`.
        current: Those to begin with.
    """

    def __init__(self, load: Callable[[], Security], current: Security) -> None:
        self._load = load
        self._current = current
        self._seen = _signature(self._current.files)
        self._complained = float("-inf")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="web configuration", daemon=True)

    def current(self) -> Security:
        """The settings in force."""
        return self._current

    def start(self) -> None:
        """Begin to watch the files."""
        self._thread.start()

    def stop(self) -> None:
        """End that. A file system that does not answer is not waited for."""
        self._stopped.set()

    def look(self) -> None:
        """Read the files again if they have changed, or could not be used the last time."""
        signature = _signature(self._current.files)
        if signature == self._seen:
            return
        try:
            fresh = self._load()
            _check_protection(self._current, fresh)
        except SecurityError as error:
            if time.monotonic() - self._complained >= REPEAT_SECONDS:
                self._complained = time.monotonic()
                log.error("web configuration not loaded; keeping the previous one", problems=list(error.problems))  # noqa: TRY400
            return
        self._current, self._seen, self._complained = fresh, _signature(fresh.files), float("-inf")
        log.info("web configuration loaded")

    def _watch(self) -> None:
        while not self._stopped.wait(CHECK_SECONDS):
            self.look()


def _check_protection(before: Security, after: Security) -> None:
    lost = [
        name
        for name, had, has in (
            ("TLS", before.tls, after.tls),
            ("basic_auth_users", before.users, after.users),
            ("client_allowed_sans", before.allowed_names, after.allowed_names),
        )
        if had and not has
    ]
    if lost:
        raise SecurityError([f"{', '.join(lost)}: taking away protection needs a restart"])


def _signature(files: Sequence[Path]) -> tuple[tuple[int, int, int, int] | None, ...]:
    return tuple(_identity(file) for file in files)


def _identity(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
