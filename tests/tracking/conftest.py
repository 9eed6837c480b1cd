"""Time that takes none, and environments and accounts to watch in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.tracking.fleets import Account
from tests.tracking.harness import Watched
from tests.tracking.virtual_time import VirtualTime, install

Watch = Callable[..., Watched]
Begin = Callable[..., Account]


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> VirtualTime:
    """What ``time.monotonic()`` says in this test."""
    return install(monkeypatch.setattr)


@pytest.fixture
def watch(virtual_time: VirtualTime) -> Iterator[Watch]:
    """Makes environments to watch, in virtual time, and closes them."""
    made: list[Watched] = []

    def make(*args: Any, **kwargs: Any) -> Watched:
        made.append(Watched(*args, virtual=virtual_time, **kwargs))
        return made[-1]

    yield make
    for watched in made:
        watched.close()


@pytest.fixture
def watched(watch: Watch) -> Watched:
    """One environment with all defaults."""
    return watch()


@pytest.fixture
def begin(virtual_time: VirtualTime) -> Iterator[Begin]:
    """Makes accounts, in virtual time, and closes them."""
    made: list[Account] = []

    def make(*args: Any, **kwargs: Any) -> Account:
        made.append(Account(virtual_time, *args, **kwargs))
        return made[-1]

    yield make
    for account in made:
        account.close()
