"""What the simulator's tests share."""

from collections.abc import AsyncIterator

import pytest

from tests.simulator.account import Account


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """uvicorn and the manual clock run on asyncio."""
    return "asyncio"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """An account with the default options."""
    async with Account() as account:
        yield account
