"""What every test can use: programs of the operating system, and free ports."""

import os
import shutil

import pytest


@pytest.fixture(autouse=True)
def _needed_programs(request: pytest.FixtureRequest) -> None:
    """Skip a test whose program is missing, with the reason; fail instead where REQUIRE_PROGRAMS is set."""
    for marker in request.node.iter_markers("program"):
        for name in marker.args:
            if shutil.which(name) is None:
                reason = f"{name} is not installed on this machine"
                if os.environ.get("REQUIRE_PROGRAMS"):
                    pytest.fail(reason)
                pytest.skip(reason)
