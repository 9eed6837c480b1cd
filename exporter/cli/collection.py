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
    """What did not succeed, one line each: environments that were not read, and accounts that have none."""
    for account in view.accounts:
        if account.environments or account.conflicts:
            continue
        if account.discovery_error is not None:
            yield f"account {account.name}: no environment could be discovered: {account.discovery_error}"
        else:
            yield f"account {account.name}: no environment is self-hosted and included by the configuration"
    for environment in view.environments:
        if not environment.up:
            identity = environment.environment
            yield f"environment {identity.name} ({identity.id}): {environment.error}"


def notices(view: FleetView) -> Iterator[str]:
    """What may not be as it was meant, one line each, and is no failure."""
    for account in view.accounts:
        for pattern in account.unmatched:
            if account.environments:
                yield f"account {account.name}: `{pattern}` of discovery.include matches no environment"
        for skipped in account.skipped:
            yield f"account {account.name}: discovery cannot read environment {skipped}"
        for conflict in account.conflicts:
            seen = f"environment {conflict.name} ({conflict.id})"
            yield f"account {account.name}: {seen} is read through the account {conflict.owner}, which sees it too"
