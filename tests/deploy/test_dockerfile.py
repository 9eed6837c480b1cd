"""The container image, as far as its Dockerfile tells without building it."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from exporter import __version__

ROOT = Path(__file__).parents[2]
Instruction = tuple[str, str]


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    """The instructions of each stage: name and arguments."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[Instruction]] = []
    for line in filter(str.strip, text.splitlines()):
        name, arguments = line.split(maxsplit=1)
        if name == "FROM":
            stages.append([])
        if stages:  # arguments before the first stage are no instructions of one
            stages[-1].append((name, arguments))
    return stages


@pytest.fixture(scope="module")
def image(stages: list[list[Instruction]]) -> list[Instruction]:
    """The instructions of the stage that becomes the image."""
    return stages[-1]


def arguments(stage: list[Instruction], name: str) -> list[str]:
    return [arguments for instruction, arguments in stage if instruction == name]


def copied(stage: list[Instruction]) -> list[str]:
    """What a stage copies from the repository."""
    copies = [copy.split() for copy in arguments(stage, "COPY")]
    return [source for copy in copies if not copy[0].startswith("--from=") for source in copy[:-1]]


def test_it_is_built_in_two_stages_on_the_same_base(stages: list[list[Instruction]]) -> None:
    pinned, build, image = (arguments(stage, "FROM")[0].split() for stage in stages)
    assert pinned[1:] == ["AS", "pinned"]
    assert build == [*image, "AS", "build"]
    assert image == ["${BASE}"]


def test_the_base_is_pinned_where_dependabot_sees_it_and_an_argument_replaces_it(
    stages: list[list[Instruction]],
) -> None:
    assert re.findall(r"^ARG BASE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["pinned"]
    base = arguments(stages[0], "FROM")[0].split()[0]
    assert re.fullmatch(r"docker\.io/library/python:3\.1[1-4]-slim@sha256:[0-9a-f]{64}", base)
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {"package-ecosystem": "docker", "directory": "/"}.items() <= next(
        update.items() for update in updates if update["package-ecosystem"] == "docker"
    )


def test_the_label_names_the_base(stages: list[list[Instruction]], image: list[Instruction]) -> None:
    base = arguments(stages[0], "FROM")[0].partition("@")[0]
    assert f'org.opencontainers.image.base.name="{base}"' in arguments(image, "LABEL")[0]


def test_what_it_copies_is_in_the_repository_and_sent_to_the_builder(stages: list[list[Instruction]]) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    sources = {source for stage in stages for source in copied(stage)}
    assert lines[0] == "*"
    assert sources == sent
    for source in sources:
        assert (ROOT / source).exists()


def test_nothing_private_is_sent_to_the_builder() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for private in (".git", ".venv", "config.yaml", "tests"):
        assert not any(fnmatch(private, pattern) for pattern in sent)


def test_every_dependency_is_pinned_by_its_hash(stages: list[list[Instruction]]) -> None:
    installs = [run for stage in stages for run in arguments(stage, "RUN") if " install " in run]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--requirement /build/requirements.txt" in installs[0]
    assert "requirements.txt /build/" in arguments(stages[1], "COPY")
    packages = re.findall(r"^\S.*?==.*?(?:\\\n.*?)*$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert packages
    assert all("--hash=sha256:" in package for package in packages)


def test_the_image_can_install_and_build_nothing(image: list[Instruction]) -> None:
    assert arguments(image, "RUN") == ["python -m pip uninstall --yes --root-user-action=ignore pip"]


def test_it_runs_as_a_numbered_user_that_is_not_root(image: list[Instruction]) -> None:
    (user,) = arguments(image, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)


def test_it_starts_the_exporter_and_names_its_port(image: list[Instruction]) -> None:
    (entrypoint,) = arguments(image, "ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "-m", "exporter"]
    assert arguments(image, "EXPOSE") == ["10190"]
    assert arguments(image, "WORKDIR") == ["/app"]


def test_its_health_check_is_the_command_for_it(image: list[Instruction]) -> None:
    (check,) = arguments(image, "HEALTHCHECK")
    assert json.loads(check[check.index("[") :]) == ["python", "-m", "exporter", "healthcheck"]


def test_its_labels_say_what_it_is(image: list[Instruction]) -> None:
    (labels,) = arguments(image, "LABEL")
    given = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", labels))
    assert given == {"title", "description", "licenses", "base.name", "version", "revision", "created"}
    assert f"VERSION={__version__}" in arguments(image, "ARG")
