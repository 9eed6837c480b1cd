"""What the tracking room is told: which environments to watch, how often, and how long their data stay good."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from exporter.api.client import ClientSettings


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """An environment to watch, and the name to show for it; None for the API's own name."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """Which of an account's environments to watch.

    Attributes:
        refresh_interval: Seconds between look-ups.
        include: An environment is watched if one of these matches its whole name or ID …
        exclude: … and none of these does.
    """

    refresh_interval: float = 300.0
    include: tuple[re.Pattern[str], ...] = (re.compile(".*"),)
    exclude: tuple[re.Pattern[str], ...] = ()


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
    page_interval: float = 0.1
    environments: tuple[EnvironmentSettings, ...] | None = None
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)


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

    min_interval: float = 5.0
    max_staleness: float = 60.0
    queue_stats: bool = True
    checkpoint: Path | None = None
    resync_interval: float = 86400.0
    lookback: float | None = None
    metadata_keys: tuple[str, ...] = ()
    max_label_values: int = 50
