"""How random the tests are: the same for the same code, unless somebody asks for more."""

import hashlib
import os
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[2]

LONG = bool(os.environ.get("LONG_RANDOM_RUNS"))
"""Whether to try many more random cases than `make test` does; `make test-long` sets it."""

FACTOR = 5 if LONG else 1
"""How many times as many examples as a test states are tried."""


@cache
def seed() -> int:
    """The seed of every random test: RANDOM_SEED, or a number that follows from the code and the tests alone."""
    if chosen := os.environ.get("RANDOM_SEED"):
        return int(chosen)
    digest = hashlib.sha256()
    for folder in ("exporter", "tests"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(file.relative_to(ROOT).as_posix().encode())
            digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:4])


def load_profile() -> None:
    """Let hypothesis neither measure time nor remember: a busy machine is no failure, and a run depends on no other.

    Nor does it matter whether CI is set: hypothesis would take other cases there, whatever the seed.
    """
    settings.register_profile(
        "repeatable",
        settings.get_profile("default"),
        derandomize=False,
        deadline=None,
        database=None,
        print_blob=True,
        max_examples=100 * FACTOR,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("repeatable")
