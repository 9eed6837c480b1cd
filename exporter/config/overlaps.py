"""Where two accounts may see one environment: no mistake as such, and only the API knows whether they do."""

from collections.abc import Iterator
from itertools import combinations

from exporter.config.model import Account, Config


def overlaps(config: Config) -> Iterator[str]:
    """Say which accounts may see the same environments, one line each; the first of them would read those."""
    for first, second in combinations(config.accounts, 2):
        if first.base_url == second.base_url and (what := _shared(first, second)):
            yield (
                f"the accounts {first.name} and {second.name} use the same API, and {what}; "
                f"an environment that both see is read through {first.name}"
            )


def _shared(first: Account, second: Account) -> str | None:
    """What two accounts of one API may share, or None if they cannot: both are lists."""
    if first.environments is not None and second.environments is not None:
        return None
    if first.environments is None and second.environments is None:
        return "both discover their environments"
    listing = first if first.environments is not None else second
    return f"{listing.name} lists environments that the other may discover"
