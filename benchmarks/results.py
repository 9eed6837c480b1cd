"""What the benchmarks find out, as frozen data: seconds, bytes, and counts."""

from dataclasses import dataclass, field

from benchmarks.usage import Memory


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer to "how many items are there in which state" costs: medians over several.

    Attributes:
        latency: Seconds by which the API's answers were held back.
        requests: Requests to the API.
        received: Bytes of its answers' bodies.
        cpu: Seconds of CPU time.
        wall: Seconds from the question to the answer.
        measured: How many were measured.
        share: How much of the list was read; below 1, everything else here is what was measured divided by this.
    """

    latency: float
    requests: float
    received: float
    cpu: float
    wall: float
    measured: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class FirstTraversal:
    """The one reading of the whole list.

    Attributes:
        requests: Requests to the API.
        seconds: How long it took.
        cpu: Seconds of CPU time.
        memory: Of the process after it.
        checkpoint: Size of the checkpoint in bytes.
    """

    requests: int
    seconds: float
    cpu: float
    memory: Memory
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Start:
    """A first start at the default pace.

    Attributes:
        items: Items in the list.
        latency: Seconds by which the API's answers were held back.
        any_cursor: Whether the API reads on from IDs that no item has.
        first: The first traversal.
    """

    items: int
    latency: float
    any_cursor: bool
    first: FirstTraversal


@dataclass(frozen=True, slots=True)
class Restart:
    """A start with a checkpoint.

    Attributes:
        ready: Seconds from the start of the process until it is ready.
        first_scrape: Seconds that the first scrape took.
        whole: Whether that scrape showed the true counts of every environment.
        requests: Requests to the API up to then.
    """

    ready: float
    first_scrape: float
    whole: bool
    requests: int


@dataclass(frozen=True, slots=True)
class Pager:
    """What the peer costs.

    Attributes:
        costs: One for each latency.
        memory: Of its process.
    """

    costs: list[Cost]
    memory: Memory


@dataclass(frozen=True, slots=True)
class Comparison:
    """One population of environments, read by the exporter and by the peer.

    Attributes:
        environments: How many there are.
        items: Items in the list of each.
        live: Live ones among them.
        far: Live ones anywhere in the list; the others are near its end.
        fewest: The fewest pages that show all live items of an environment.
        first: The exporter's first traversal, without the pace that the API asks for.
        restart: Its restart after that.
        costs: Its scrapes after that at the default pace, one for each latency.
        memory: Of the restarted process, at the end.
        peer: The same by the peer, or None where that was not asked for.
    """

    environments: int
    items: int
    live: int
    far: int
    fewest: int
    first: FirstTraversal
    restart: Restart
    costs: list[Cost]
    memory: Memory
    peer: Pager | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """An environment with so much live work that a refresh takes longer than a scrape, scraped all the same.

    Attributes:
        live: Live items; there are no others.
        latency: Seconds by which the API's answers were held back.
        interval: Seconds between two scrapes.
        scrapes: How many there were after the first whole one.
        whole: How many of them showed the true counts.
        slowest_scrape: Seconds.
        oldest: The greatest age in seconds of the data shown.
        refresh_seconds: How long the last refresh took.
        refresh_requests: The requests it made.
        cpu: Seconds of CPU time a refresh, on average.
        slowest_health: The longest that a health check had to wait, in seconds.
        memory: Of the process, at the end.
        first: The first traversal.
    """

    live: int
    latency: float
    interval: float
    scrapes: int
    whole: int
    slowest_scrape: float
    oldest: float
    refresh_seconds: float
    refresh_requests: int
    cpu: float
    slowest_health: float
    memory: Memory
    first: FirstTraversal


@dataclass(frozen=True, slots=True)
class Written:
    """What writing the metrics costs in one encoding: medians over several scrapes.

    Attributes:
        coding: gzip or identity.
        size: Bytes of the body.
        cpu: Seconds of CPU time of the exporter.
        peer_cpu: The same of the exporter on client_golang; None where it could not be built.
    """

    coding: str
    size: int
    cpu: float
    peer_cpu: float | None


@dataclass(frozen=True, slots=True)
class Exposition:
    """What writing the metrics of synthetic environments costs, if every scrape finds all of them changed.

    Attributes:
        environments: How many there are.
        series: How many series they have.
        written: The cost by encoding.
        longest: CPU time of what held up the event loop longest, in seconds.
        peak: The exporter's memory at its peak, in bytes.
        peer_peak: The peer's.
    """

    environments: int
    series: int
    written: list[Written]
    longest: float
    peak: int
    peer_peak: int | None


@dataclass(frozen=True, slots=True)
class Together:
    """What it costs that several scrapers come at once, compressed; synthetic environments, all of them changed.

    Attributes:
        environments: How many there are.
        scrapers: How many scrapers came.
        encodings: How many times the metrics were written for them.
        cpu: Seconds of CPU time of all their scrapes, the median of several rounds.
        peer_cpu: The same of the exporter on client_golang; None where it could not be built.
    """

    environments: int
    scrapers: int
    encodings: int
    cpu: float
    peer_cpu: float | None


@dataclass(slots=True)
class Results:
    """Everything that was measured; what was not asked for is missing.

    Attributes:
        histories: By length of the list, with the same live items.
        live: By number of live items, in the same list.
        idle: An environment without live items.
        environments: Many environments.
        starts: First starts at the default pace.
        backlog: A large backlog.
        exposition: Writing the metrics, by number of environments.
        together: Writing them for several scrapers at once, by their number.
    """

    histories: list[Comparison] = field(default_factory=list)
    live: list[Comparison] = field(default_factory=list)
    idle: Comparison | None = None
    environments: Comparison | None = None
    starts: list[Start] = field(default_factory=list)
    backlog: Backlog | None = None
    exposition: list[Exposition] = field(default_factory=list)
    together: list[Together] = field(default_factory=list)
