"""An environment of the simulated account."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.simulator.item import no_metadata
from exporter.simulator.options import Options
from exporter.simulator.queue import WorkQueue
from exporter.simulator.wire import EnvironmentBody, whole_seconds

EnvironmentKind = Literal["self_hosted", "cloud"]

_CLOUD_CONFIG: Mapping[str, object] = {
    "type": "cloud",
    "networking": {
        "type": "limited",
        "allowed_hosts": [],
        "allow_package_managers": True,
        "allow_mcp_servers": True,
    },
    "packages": {},
}


@dataclass(slots=True, eq=False)
class Environment:
    """One environment and its work queue (`environments/schemas`).

    Attributes:
        id: ``env_`` and a UUIDv7.
        name: For people; not unique.
        kind: ``config.type``: only ``self_hosted`` environments have work.
        created_us: Microseconds since the epoch.
        options: Its own options.
        archived_us: When it was archived, if it was.
        forbidden: Whether the account's tokens have no right to it (403).
    """

    id: str
    name: str
    kind: str
    created_us: int
    options: Options
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=no_metadata)
    archived_us: int | None = None
    updated_us: int = 0
    forbidden: bool = False
    queue: WorkQueue = field(init=False)

    def __post_init__(self) -> None:
        self.updated_us = self.updated_us or self.created_us
        self.queue = WorkQueue(self.options)

    def body(self) -> EnvironmentBody:
        """Return the environment as the API shows it."""
        return EnvironmentBody(
            id=self.id,
            name=self.name,
            description=self.description,
            config=_CLOUD_CONFIG if self.kind == "cloud" else {"type": self.kind},
            metadata=dict(self.metadata),
            archived_at=None if self.archived_us is None else whole_seconds(self.archived_us),
            created_at=whole_seconds(self.created_us),
            updated_at=whole_seconds(self.updated_us),
        )
