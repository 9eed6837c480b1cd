"""What can be configured: one frozen type per section, with its defaults.

The fields are the keys of the file; ``config.example.yaml`` explains them to users.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from exporter.config.duration import Duration

DEFAULT_BASE_URL = "https://api.qoder.com/api/v1/cloud"
"""The international API. Credentials of one region are refused in the other."""

DEFAULT_TOKEN_VARIABLE = "QODER_PAT"  # noqa: S105 - the name of a variable
"""The environment variable that holds the token where no account is configured."""


class Environment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One self-hosted environment to watch.

    Attributes:
        id: The API's identifier, ``env_…``.
        name: The value of the ``environment`` label; None for the API's own name.
    """

    id: str
    name: str | None = None


class Discovery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an account's self-hosted environments are discovered.

    Attributes:
        refresh_interval: Time between two discoveries.
        include: Regular expressions; an environment is watched if one of them matches the whole of its name or ID.
        exclude: Regular expressions; an environment that one of them matches is not watched, included or not.
    """

    refresh_interval: Duration = Duration.parse("5m")
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()


class Account(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One set of credentials, and what is read with it.

    Attributes:
        name: The value of the ``account`` label.
        base_url: The API's address without a trailing slash.
        token_env: The environment variable that holds the token, or None.
        token_file: The file that holds the token, or None. Exactly one of the two is given.
        allow_plain_http: Send the token unencrypted to another machine.
        environments: The environments to watch, or None to discover them.
        discovery: How to discover them.
        requests_per_second: Rate limit of all reads of the account together.
        page_interval: Time between the sequential pages of one traversal.
        max_concurrency: Requests under way at the same time.
        request_timeout: Timeout of one request.
    """

    name: str = "default"
    base_url: str = DEFAULT_BASE_URL
    token_env: str | None = None
    token_file: Path | None = None
    allow_plain_http: bool = False
    environments: tuple[Environment, ...] | None = None
    discovery: Discovery = Discovery()
    requests_per_second: Annotated[float, Meta(gt=0, le=1000)] = 50
    page_interval: Duration = Duration.parse("100ms")
    max_concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    request_timeout: Duration = Duration.parse("10s")


class Scrape(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a scrape is answered.

    Attributes:
        timeout: Timeout of a scrape whose request has no timeout header.
        timeout_offset: Respond this much before the scraper's timeout.
        min_interval: A snapshot younger than this is served again without asking the API.
        max_staleness: A snapshot older than this is withheld.
        queue_stats: Whether to read the queue's own statistics too.
    """

    timeout: Duration = Duration.parse("10s")
    timeout_offset: Duration = Duration.parse("500ms")
    min_interval: Duration = Duration.parse("5s")
    max_staleness: Duration = Duration.parse("60s")
    queue_stats: bool = True


class History(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the list of all work is read.

    Attributes:
        checkpoint: The file that keeps progress across restarts, or None.
        resync_interval: Time between two slow full traversals; 0 turns them off.
        lookback: Work older than this is ignored; None ignores nothing.
    """

    checkpoint: Path | None = None
    resync_interval: Duration = Duration.parse("24h")
    lookback: Duration | None = None


Buckets = tuple[Duration, ...] | bool
"""Which buckets of a histogram are exposed: all (True), these upper bounds alone, or none of the histogram (False)."""


class Histograms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which histograms of an environment are exposed, and with which buckets.

    The fields are the names of the metrics without ``qoder_work_`` and ``_seconds``. Only bounds that are counted
    (:data:`exporter.histogram.SECONDS_TO_A_WEEK`) can be chosen, so that the choice can change at any time; an empty
    tuple leaves the count and the sum.
    """

    queue_age: Buckets = True
    heartbeat_lag: Buckets = True
    queue_wait: Buckets = True
    startup: Buckets = True
    run: Buckets = True
    drain: Buckets = True


class Metrics(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Labels and histograms of the metrics.

    Attributes:
        metadata_labels: Keys of the work items' metadata that become labels of ``qoder_work_items``.
        max_label_values: Bound on the values of one key in one environment, and, for each key, on the combinations of
            several keys' values; the rest is counted as ``other``.
        histograms: Which histograms are exposed, and with which buckets.
    """

    metadata_labels: tuple[str, ...] = ()
    max_label_values: Annotated[int, Meta(ge=1, le=10_000)] = 50
    histograms: Histograms = Histograms()


class Probe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``/probe`` may read.

    Attributes:
        allow_any: Whether it may read environments that are not configured.
    """

    allow_any: bool = False


class EnvironmentThresholds(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Thresholds of some environments.

    Attributes:
        environments: A regular expression for the whole name.
        thresholds: The thresholds that differ from those of the other environments.
    """

    environments: str
    thresholds: dict[str, float] = {}


class Alerts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What your alert rules were made with, so that the status page and ``inspect`` judge as they do.

    Attributes:
        thresholds: The thresholds that differ from the defaults: the content of the file that is given to
            ``mixin --thresholds``.
        environment_thresholds: The thresholds of some environments: the content of the file that is given to
            ``mixin --environment-thresholds``. The first that matches counts.
    """

    thresholds: dict[str, float] = {}
    environment_thresholds: tuple[EnvironmentThresholds, ...] = ()


SESSION_ID = "{session_id}"
"""What stands for the session's ID in ``links.session``."""


class Links(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the status page and ``inspect`` lead.

    Attributes:
        session: The address of a session, with ``{session_id}`` for its ID; None for no links.
    """

    session: str | None = f"https://qoder.com/cloud/sessions/{SESSION_ID}"


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration.

    Attributes:
        accounts: At least one account. Without any in the file: one that takes its token from ``QODER_PAT``.
        scrape: How a scrape is answered.
        history: How the list of all work is read.
        metrics: Labels and histograms of the metrics.
        probe: What ``/probe`` may read.
        alerts: What your alert rules were made with, so that the status page and ``inspect`` judge as they do.
        links: Where the status page and ``inspect`` lead.
    """

    accounts: tuple[Account, ...] = (Account(token_env=DEFAULT_TOKEN_VARIABLE),)
    scrape: Scrape = Scrape()
    history: History = History()
    metrics: Metrics = Metrics()
    probe: Probe = Probe()
    alerts: Alerts = Alerts()
    links: Links = Links()
