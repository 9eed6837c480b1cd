"""Waiting for something that a running process brings about."""

import subprocess
from collections.abc import Callable

from tests.support import waiting
from tests.support.waiting import PATIENCE, free_port

__all__ = ["PATIENCE", "free_port", "until"]


def until(process: "subprocess.Popen[str]", condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, but not for a process that has ended."""

    def holds() -> bool:
        assert process.poll() is None, f"it ended with {process.returncode} before there was {what}"
        return condition()

    waiting.until(holds, what)
