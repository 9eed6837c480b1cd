"""The environment of programs that tests start."""

import os

MAKES_OWN = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}
"""What make sets for what it runs. If the tests are run by make, what that was told is not for a make they run."""


def inherited(*without: str) -> dict[str, str]:
    """This process's environment variables, but for make's own and those whose names begin so."""
    return {name: value for name, value in os.environ.items() if name not in MAKES_OWN and not name.startswith(without)}
