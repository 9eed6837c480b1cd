"""What the tracking room is told: which environments to watch, how often, and how long their data stay good.

The defaults are those of the configuration, and stand there alone.
"""

from dataclasses import dataclass
from pathlib import Path

from exporter.api.client import ClientSettings
from exporter.tracking.patterns import Pattern


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """An environment to watch, and the name to show for it; None for the API's own name."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """Which of an account's environments to watch.

    Attributes:
        refresh_interval: Seconds between discoveries.
        include: An environment is watched if one of these matches its whole name or ID …
        exclude: … and none of these does.
    """

    refresh_interval: float
    include: tuple[Pattern, ...]
    exclude: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One account.

    Attributes:
        name: The ``account`` label.
        client: How to reach it.
        page_interval: Seconds between the pages of one walk through a list.
        environments: What to watch; None to discover.
        discovery: How to discover.
    """

    name: str
    client: ClientSettings
    page_interval: float
    environments: tuple[EnvironmentSettings, ...] | None
    discovery: DiscoverySettings


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How environments are tracked. All times are seconds.

    Attributes:
        min_interval: Data younger than this are shown again without asking the API.
        max_staleness: Data older than this are withheld.
        queue_stats: Whether the API's own statistics are read too.
        checkpoint: The file in which progress survives restarts, or None.
        resync_interval: Time between slow readings of the whole list; 0 for none.
        lookback: Work created longer before the first start than this is ignored; None to ignore nothing.
        metadata_keys: Metadata keys that become labels.
        max_label_values: Most values of each key and environment.
    """

    min_interval: float
    max_staleness: float
    queue_stats: bool
    checkpoint: Path | None
    resync_interval: float
    lookback: float | None
    metadata_keys: tuple[str, ...]
    max_label_values: int
