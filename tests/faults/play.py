"""All faults at once in one exporter: an account for each, with a healthy neighbour, and what was seen of them."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.api.harness import ENVIRONMENT, TOKEN
from tests.faults.api import NEIGHBOUR, Faulty
from tests.faults.bounds import SOCKETS_PER_ACCOUNT
from tests.faults.matrix import FAULTS, OK, Fault
from tests.faults.places import authority, set_name
from tests.support.waiting import PATIENCE, free_port

ROUNDS = 2
"""How often the faults come and go."""

REQUEST_TIMEOUT = 10
"""Seconds after which a request that hangs fails."""

SCRAPE_TIMEOUT, OFFSET = 12, 8
"""Seconds after which the scraper gives up, and by which it is answered earlier: time for a machine that is busy."""

SHOWN = ("qoder_work_up", "qoder_work_items", "qoder_work_unreadable_items", "qoder_work_refresh_failures_total")
METRICS = (*SHOWN, "qoder_work_snapshot_timestamp_seconds", "qoder_work_refresh_requests")

Key = tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """What one scrape showed of one environment.

    Attributes:
        at: Unix time at which the scrape began.
        up: Whether it is up.
        items: Its items by state, those of which there are any; None if no counts are shown.
        unreadable: How many of them are unreadable.
        read_at: When they were read.
        failures: Failed refreshes so far, by reason.
        neighbours: How many items the neighbour really had.
    """

    at: float
    neighbours: int
    up: bool = False
    items: dict[str, int] | None = None
    unreadable: int = 0
    read_at: float | None = None
    failures: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, labels: dict[str, str], value: float) -> None:
        """Note a sample."""
        match name:
            case "qoder_work_up":
                self.up = value == 1
            case "qoder_work_items":
                self.items = (self.items or {}) | ({labels["state"]: int(value)} if value else {})
            case "qoder_work_unreadable_items":
                self.unreadable = int(value)
            case "qoder_work_snapshot_timestamp_seconds":
                self.read_at = value
            case "qoder_work_refresh_failures_total":
                self.failures[labels["reason"]] = int(value)


@dataclass(slots=True)
class Phase:
    """A time with the faults, or without them, as seen for one account.

    Attributes:
        broken: Whether it is the time with them.
        seen: The environment with the fault, at each scrape.
        neighbour: Its neighbour.
        asked: Requests for the environment with the fault that arrived.
    """

    broken: bool
    seen: list[Seen] = field(default_factory=list)
    neighbour: list[Seen] = field(default_factory=list)
    asked: int = 0


@dataclass(slots=True)
class Account:
    """One account: its fault, and what was seen.

    Attributes:
        sockets: Connections to it that were open when all was well again, after each round.
    """

    fault: Fault
    api: Faulty
    phases: list[Phase] = field(default_factory=list)
    sockets: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Play:
    """What was seen of the exporter as a whole.

    Attributes:
        accounts: The accounts, by the name of their faults.
        took: Seconds that each scrape took.
        tasks: How many tasks there were when all was well: before the first fault, and after each round.
        sockets: How many sockets, likewise.
        peak: Bytes that were resident at most.
        log: The lines of the log.
        status: The exit status after SIGTERM.
    """

    accounts: dict[str, Account]
    took: list[float] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    sockets: list[int] = field(default_factory=list)
    peak: int = 0
    log: list[str] = field(default_factory=list)
    status: int | None = None


def play(folder: Path) -> Play:
    """Let all faults come and go, and return what was seen."""
    return asyncio.run(_play(folder))


async def _play(folder: Path) -> Play:
    async with AsyncExitStack() as stack:
        accounts = {fault.id: Account(fault, await stack.enter_async_context(Faulty(fault))) for fault in FAULTS}
        seen = Play(accounts)
        with program(folder, accounts) as (process, address):
            watcher = Watcher(folder, process, address, seen)
            await stack.enter_async_context(watcher.http)
            await watcher.until_whole(broken=False)
            await watcher.settle()
            for _ in range(ROUNDS):
                for broken in (True, False):
                    await watcher.turn(broken=broken)
                    await watcher.until_whole(broken=broken)
                await watcher.settle()
            seen.peak = int(re.findall(r"VmHWM:\s+(\d+) kB", watcher.proc("status").read_text())[0]) * 1024
            process.send_signal(signal.SIGTERM)
            seen.status = await asyncio.to_thread(process.wait, PATIENCE)
        await asyncio.sleep(0.5)  # connections that it had begun are accepted, and end
        seen.log = (folder / "log").read_text().splitlines()
    return seen


@contextlib.contextmanager
def program(folder: Path, accounts: dict[str, Account]) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run the exporter on these accounts; gives its process and its address."""
    (folder / "config.yaml").write_text(yaml.safe_dump(_config(accounts)))
    authority().cert_pem.write_to_path(folder / "authorities.pem")
    for account in accounts.values():
        if account.api.unresolved is not None:
            set_name(folder, account.api.host, "found")
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "tests.faults.program", str(folder), f"--config.file={folder / 'config.yaml'}"]
    variables = {"QODER_PAT": TOKEN, "SSL_CERT_FILE": str(folder / "authorities.pem"), "NO_PROXY": "*"}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [*command, f"--web.listen-address={address}", "--log.format=json"],
            stdout=log,
            stderr=log,
            env=os.environ | variables,
        ) as process,
    ):
        try:
            yield process, f"http://{address}/metrics"
        finally:
            process.kill()


def _config(accounts: dict[str, Account]) -> object:
    return {
        "accounts": [
            {
                "name": name,
                "base_url": account.api.address,
                "token_env": "QODER_PAT",
                "allow_plain_http": True,
                "request_timeout": f"{REQUEST_TIMEOUT if account.fault.hangs else 60}s",
                "requests_per_second": 1000,
                "page_interval": "10ms",
                "max_concurrency": SOCKETS_PER_ACCOUNT,
                "environments": [
                    {"id": ENVIRONMENT, "name": name},
                    {"id": NEIGHBOUR, "name": f"beside {name}"},
                ],
            }
            for name, account in accounts.items()
        ],
        "scrape": {"min_interval": 0, "timeout_offset": f"{OFFSET}s"},
    }


class Watcher:
    """Lets the faults come and go, and scrapes.

    Args:
        folder: Of the program.
        process: The program.
        address: Of its metrics.
        play: Where to note what is seen.

    Attributes:
        http: Scrapes; to be closed.
    """

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]", address: str, play: Play) -> None:
        self._folder = folder
        self._process = process
        self._address = address
        self._play = play
        self.http = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)
        for account in play.accounts.values():
            account.phases.append(Phase(broken=False))

    def proc(self, name: str) -> Path:
        """What the kernel says of the process."""
        return Path(f"/proc/{self._process.pid}/{name}")

    async def turn(self, *, broken: bool) -> None:
        """Let all faults begin, or end, and every neighbour have one item more."""
        for account in self._play.accounts.values():
            account.phases.append(Phase(broken))
            account.api.heads.clear()
            account.api.neighbour += 1
            await account.api.turn(broken=broken)
            if account.api.unresolved is not None:
                set_name(self._folder, account.api.host, account.api.unresolved if broken else "found")

    async def until_whole(self, *, broken: bool) -> None:
        """Scrape until everything is as it is to be, but not for ever: what is not shows in the tests of the faults."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if await self._scrape() and all(_is_settled(account, broken) for account in self._play.accounts.values()):
                break
            await asyncio.sleep(0.2)
        for account in self._play.accounts.values():
            account.phases[-1].asked = account.api.asked()

    async def _scrape(self) -> bool:
        """Scrape once; whether there was an answer, which there is not while the program starts."""
        seen = self._new_sightings()
        start = time.monotonic()
        try:
            answer = await self.http.get(
                self._address,
                params={"name[]": METRICS},
                headers={"X-Prometheus-Scrape-Timeout-Seconds": str(SCRAPE_TIMEOUT)},
            )
        except httpx.ConnectError:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            return False
        self._play.took.append(time.monotonic() - start)
        assert answer.status_code == 200, answer.text
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                seen[sample.labels["environment"]].take(sample.name, sample.labels, sample.value)
        for name, account in self._play.accounts.items():
            account.phases[-1].seen.append(seen[name])
            account.phases[-1].neighbour.append(seen[f"beside {name}"])
        return True

    def _new_sightings(self) -> dict[str, Seen]:
        now = time.time()
        return {
            environment: Seen(now, account.api.neighbour)
            for name, account in self._play.accounts.items()
            for environment in (name, f"beside {name}")
        }

    async def settle(self) -> None:
        """Wait until there are no more tasks than at first, nor more connections than are kept, and note how many."""
        end = time.monotonic() + PATIENCE
        while True:
            tasks, ports = await self._tasks(), self._ports()
            found = [ports.count(account.api.port) for account in self._play.accounts.values()]
            if (tasks <= self._play.tasks[0] if self._play.tasks else tasks < 1000) and max(
                found
            ) <= SOCKETS_PER_ACCOUNT:
                break
            if time.monotonic() > end:
                break
            await asyncio.sleep(0.2)
        self._play.tasks.append(tasks)
        self._play.sockets.append(len(ports))
        for account, number in zip(self._play.accounts.values(), found, strict=True):
            account.sockets.append(number)

    async def _tasks(self) -> int:
        file = self._folder / "tasks"
        file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(PATIENCE):
            while not file.exists():  # noqa: ASYNC110 -- another process writes it
                await asyncio.sleep(0.02)
        return int(file.read_text())

    def _ports(self) -> list[int]:
        """The other side's port of each of the process's sockets; 0 where it is not connected."""
        links = []
        for descriptor in self.proc("fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                links.append(os.readlink(descriptor))
        inodes = [link[8:-1] for link in links if link.startswith("socket:[")]
        rows = [line.split() for line in self.proc("net/tcp").read_text().splitlines()[1:]]
        peers = {row[9]: int(row[2].partition(":")[2], 16) for row in rows}
        return [peers.get(inode, 0) for inode in inodes]


def _is_settled(account: Account, broken: bool) -> bool:
    """Whether the last scrape shows all that is to be seen of a phase."""
    phase, fault = account.phases[-1], account.fault
    last, beside = phase.seen[-1], phase.neighbour[-1]
    current = beside.up and beside.items == {"active": beside.neighbours}
    if broken and fault.reason != OK and not (fault.overcome and len(account.phases) > 2):
        before = account.phases[-2].seen[-1].failures
        failed = any(not each.up and each.failures[fault.reason] > before[fault.reason] for each in phase.seen)
        return failed and (current or fault.account_wide)
    if broken:
        return current and len(phase.seen) > 2
    return fault.held > REQUEST_TIMEOUT or (last.up and last.items is not None and current)
