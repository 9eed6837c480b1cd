"""Long work in steps, between which others have their turn."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def last_of(steps: Generator[None, None, T]) -> T:
    """Make all steps at once, and return what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_turn(steps: Generator[None, None, T]) -> T:
    """Make all steps, let others work after each, and return what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
