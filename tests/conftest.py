"""What every test can use: programs of the operating system, and linters built with Go."""

import os
import shutil

import pytest

from tests.support import randomness

MANDATORY = bool(os.environ.get("REQUIRE_PROGRAMS"))
"""Whether a missing program of the operating system is a failure, and nothing may be skipped."""


randomness.load_profile()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give hypothesis a seed that is the same for the same code."""
    if config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = randomness.seed()


def pytest_report_header(config: pytest.Config) -> str:
    """Say how the random cases of this run can be had again."""
    seed = config.getoption("hypothesis_seed")
    return f"random tests: RANDOM_SEED={seed}" + (" LONG_RANDOM_RUNS=1" if randomness.LONG else "")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, with the reason; fail instead where REQUIRE_PROGRAMS is set.

    A hook, because it must come before the fixtures, which start these programs.
    """
    for name in _named(item, "program"):
        if shutil.which(name) is None:
            reason = f"{name} is not installed on this machine"
            if MANDATORY:
                pytest.fail(reason)
            pytest.skip(reason)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is only for long runs, and the checks of linters that are not at hand.

    No distribution has these linters, so they cannot be required.
    """
    if not randomness.LONG:
        too_long = [item for item in items if any(found.kwargs.get("only") for found in item.iter_markers("long"))]
        items[:] = [item for item in items if item not in too_long]
        config.hook.pytest_deselected(items=too_long)
    left_out = [item for item in items if any(shutil.which(name) is None for name in _named(item, "linter"))]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        names = sorted({name for item in left_out for name in _named(item, "linter")})
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"left out, as they are not installed on this machine: {', '.join(names)}")


def _named(node: pytest.Item, marker: str) -> list[str]:
    """The programs that a test's markers of this kind name."""
    return [str(name) for found in node.iter_markers(marker) for name in found.args]
