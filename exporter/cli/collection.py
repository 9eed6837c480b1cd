"""One complete collection, without a server."""

from collections.abc import Iterator

from exporter.tracking.fleet import Fleet
from exporter.tracking.view import FleetView


async def collect_once(fleet: Fleet) -> FleetView:
    """Read everything there is to read, however long that takes, and close the fleet."""
    try:
        await fleet.start()
        return await fleet.complete()
    finally:
        await fleet.close()


def failures(view: FleetView) -> Iterator[str]:
    """What did not succeed, one line each: environments that were not read, or not found."""
    for account in view.accounts:
        if account.discovery_error is not None and not account.environments:
            yield f"account {account.name}: no environment could be discovered: {account.discovery_error}"
    for environment in view.environments:
        if not environment.up:
            identity = environment.environment
            yield f"environment {identity.name} ({identity.id}): {environment.error}"
