"""Every block of commands in the README and the documentation is executed by a test, which this table names.

A block that is new has no row and fails here. What cannot be executed whole says why beside its row.
"""

import re

import pytest

from tests.commands.blocks import ROOT, Block, everything

IN_RUNBOOKS = "tests/commands/test_runbooks.py::test_every_block_runs"
IN_THE_README = "tests/test_readme.py"
ON_PAGES = "tests/commands/test_pages.py"
ON_INSTALLING = "tests/commands/test_install.py"
IN_A_CLUSTER = "tests/commands/test_kubernetes.py"

TABLE: dict[str, list[tuple[str, str]]] = {
    "README.md": [
        ("make demo", f"{IN_THE_README}::test_the_demo_shows_active_items"),
        ("curl -s", f"{IN_THE_README}::test_the_demo_shows_active_items"),
        ("pip install .", f"{IN_THE_README}::test_a_full_start_is_a_token_and_a_command"),
        ("qoder-work-exporter check", f"{IN_THE_README}::test_a_configuration_is_checked_and_served"),
        ("qoder-work-exporter inspect", f"{IN_THE_README}::test_a_full_start_is_a_token_and_a_command"),
    ],
    # `make demo` is the README's; `make test` runs this, and .ci/run runs `make lint` after it.
    "CONTRIBUTING.md": [
        ("make demo", f"{ON_PAGES}::test_the_contributors_targets_exist_and_those_that_write_change_nothing")
    ],
    "docs/alerts.md": [
        ("amtool silence add", f"{ON_PAGES}::test_an_environment_is_silenced"),
        ("qoder-work-exporter mixin", f"{ON_PAGES}::test_thresholds_of_ones_own_make_rules_of_ones_own"),
    ],
    "docs/api.md": [("curl -s", f"{ON_PAGES}::test_a_script_reads_the_live_items")],
    "docs/configuration.md": [("qoder-work-exporter check", f"{ON_PAGES}::test_a_configuration_is_checked_and_served")],
    "docs/dashboards.md": [
        ("docker run", f"{ON_PAGES}::test_grafana_is_given_folders_that_are_there"),
        ("curl -fsS -X POST", f"{ON_PAGES}::test_a_deployment_is_marked"),
        ("make docs", f"{ON_PAGES}::test_the_dashboards_are_written_and_checked"),
        ("echo 'queue_stalled_age", f"{ON_PAGES}::test_a_threshold_changes_rules_and_dashboards"),
        (".venv/bin/python -m tools.drawing", f"{ON_PAGES}::test_the_pictures_are_drawn"),
    ],
    # Its images come from a registry: the same programs run from the mounted files.
    "docs/install/compose.md": [
        ("cd deploy/compose", "tests/deploy/test_compose.py::test_the_stack_runs_from_the_mounted_files"),
        ("QODER_PAT=pt-… docker compose", "tests/deploy/test_compose.py::test_the_stack_runs_from_the_mounted_files"),
    ],
    "docs/install/container.md": [("docker build", "tests/deploy/test_image.py::test_the_page_runs_it")],
    "docs/install/index.md": [
        ("pip install .", f"{ON_INSTALLING}::test_pip_installs_a_program_that_runs"),
        ("pip install --require-hashes", f"{ON_INSTALLING}::test_pip_installs_a_program_that_runs"),
        ("pipx install .", f"{ON_INSTALLING}::test_pipx_and_uv_install_a_program_that_runs"),
        ("QODER_PAT=pt-…", f"{ON_PAGES}::test_a_token_and_a_command_serve_metrics"),
        ("qoder-work-exporter mixin", f"{ON_PAGES}::test_links_lead_to_ones_own_exporter_and_grafana"),
    ],
    "docs/install/kubernetes.md": [
        ("kubectl create namespace", f"{IN_A_CLUSTER}::test_the_server_admits_what_helm_installs"),
        ("helm install", f"{IN_A_CLUSTER}::test_the_server_admits_what_helm_installs"),
        ("kubectl apply", f"{IN_A_CLUSTER}::test_the_server_admits_what_kustomize_applies"),
        ("sed", f"{IN_A_CLUSTER}::test_the_server_admits_the_rules_with_links_of_ones_own"),
    ],
    "docs/install/systemd.md": [
        ("python3 -m venv", "tests/deploy/test_systemd.py::test_the_service_runs_under_systemd"),
    ],
    # `make test` with less or more than all: the options and the paths exist. The mutations take ten minutes.
    "docs/testing.md": [
        ("RANDOM_SEED=101", f"{ON_PAGES}::test_what_testing_says_to_run_can_be_run"),
        (".venv/bin/python tests/mutations.py", f"{ON_PAGES}::test_what_testing_says_to_run_can_be_run"),
    ],
}
"""How each block of each page begins, and the test that executes it."""

BLOCKS = [block for block in everything() if not block.page.startswith("docs/runbooks/")]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_has_a_row(block: Block) -> None:
    rows = TABLE.get(block.page, [])
    assert block.number < len(rows), f"no test executes this: {block.text}"
    start, _ = rows[block.number]
    assert block.text.startswith(start)


def test_every_row_has_a_block() -> None:
    pages = [block.page for block in BLOCKS]
    assert {page: len(rows) for page, rows in TABLE.items()} == {page: pages.count(page) for page in pages}


@pytest.mark.parametrize("test", sorted({test for rows in TABLE.values() for _, test in rows} | {IN_RUNBOOKS}))
def test_the_tests_exist(test: str) -> None:
    module, _, name = test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / module).read_text(), re.MULTILINE)
