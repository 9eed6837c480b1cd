"""The list of mutations can be tried again."""

from pathlib import Path

import pytest

from tests.mutated.mutation import Mutation
from tests.mutations import MUTATIONS, ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_can_be_made(mutation: Mutation, tmp_path: Path) -> None:
    copied = tmp_path / mutation.path
    copied.parent.mkdir(parents=True)
    copied.write_text((ROOT / mutation.path).read_text())
    mutation.apply(tmp_path)
    assert copied.read_text() != (ROOT / mutation.path).read_text()
    compile(copied.read_text(), str(copied), "exec")
    assert all((ROOT / "tests/tracking" / f"{test.partition('::')[0]}.py").exists() for test in mutation.tests)


def test_mutations_have_names_of_their_own() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_a_mutation_that_can_no_longer_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "exporter/tracking").mkdir(parents=True)
    (tmp_path / "exporter/tracking/planner.py").write_text("twice twice")
    for old in ("never", "twice"):
        with pytest.raises(LookupError, match=old):
            Mutation("planner: something", old, "", ()).apply(tmp_path)
