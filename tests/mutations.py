"""Breaks the tracking of work items on purpose, one small change at a time, and sees whether a test notices.

    python tests/mutations.py                  # all of them; some minutes
    python tests/mutations.py planner walk     # those whose name begins with one of these words
    python tests/mutations.py --list           # what is broken, and the tests that should notice

Each change is made to a copy of the package in a temporary directory, where the tests named beside it are then run:
it is killed if they fail, or do not come to an end. A change that survives, or can no longer be made, is an error.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # where this is run as a script

from tests.mutated.counting import COUNTING  # noqa: E402 -- see above
from tests.mutated.mutation import Mutation  # noqa: E402
from tests.mutated.reading import READING  # noqa: E402
from tests.mutated.truth import TRUTH  # noqa: E402
from tests.mutated.watching import WATCHING  # noqa: E402

MUTATIONS = (*READING, *COUNTING, *WATCHING, *TRUTH)

PATIENCE = 300
"""Seconds after which tests that go on for ever count as failed."""


def fails(root: Path, tests: Sequence[str], patience: float | None) -> bool:
    """Whether these tests fail on the package under this directory, or do not come to an end within these seconds.

    Raises:
        RuntimeError: They could not be run.
    """
    paths = [
        f"tests/tracking/{test}".replace("::", ".py::") if "::" in test else f"tests/tracking/{test}.py"
        for test in tests
    ]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", *paths]
    model = {"MODEL_SEED": "1", "MODEL_SHRINK": "0"}
    environment = os.environ | model | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    if run.returncode not in (0, 1):
        raise RuntimeError(run.stdout + run.stderr)
    return run.returncode == 1


def copy(root: Path) -> None:
    """Copy what the tests need."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "exporter", root / "exporter", ignore=ignored)
    for tests in ("tracking", "api", "support"):
        shutil.copytree(ROOT / "tests" / tests, root / "tests" / tests, ignore=ignored)
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / name, root / name)


def outcome(mutation: Mutation | None, tests: Sequence[str]) -> str:
    """What becomes of one change, or of none: killed, survived, or why it could not be tried."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        copy(root)
        try:
            if mutation is not None:
                mutation.apply(root)
            # Without a change the tests are right, however busy the machine is.
            return "killed" if fails(root, tests, None if mutation is None else PATIENCE) else "survived"
        except (LookupError, RuntimeError) as error:
            return f"NOT TRIED: {error}"


def main() -> int:
    """Run the program; the exit status tells whether every change was killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only changes whose names begin so")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many to try at once")
    parser.add_argument("--list", action="store_true", help="print the changes and try none")
    arguments = parser.parse_args()
    chosen = [each for each in MUTATIONS if not arguments.names or each.name.startswith(tuple(arguments.names))]
    if arguments.list:
        print("\n".join(f"{each.name}  ({', '.join(each.tests)})" for each in chosen))
        return 0
    needed = sorted({test for mutation in chosen for test in mutation.tests})
    if outcome(None, needed) != "survived":
        print("the tests fail without any change")
        return 1
    with ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = list(pool.map(lambda mutation: outcome(mutation, mutation.tests), chosen))
    for mutation, became in zip(chosen, outcomes, strict=True):
        print(f"{became:8} {mutation.name}")
    killed = outcomes.count("killed")
    print(f"{killed} of {len(chosen)} killed")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
