"""Measuring spans of time: on a clock that nobody sets, and that a suspended machine does not stop."""

import time


def _suspended() -> float:
    """Return how long the machine has been suspended since it was started, where the system says so."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return 0.0
    return time.clock_gettime(boottime) - time.clock_gettime(time.CLOCK_MONOTONIC)


_BEFORE = _suspended()
_NOISE = 0.01
"""The two clocks are read one after the other; what they differ by since is no suspension if it is less than this."""


def monotonic() -> float:
    """Return seconds since some fixed moment, like ``time.monotonic()``, which on Linux stops with the machine.

    Data that were read before a laptop was closed are old when it is opened again.
    """
    suspended = _suspended() - _BEFORE
    return time.monotonic() + (suspended if suspended > _NOISE else 0.0)
