"""Other people's collectors, each in front of a Prometheus that evaluates the shipped rules."""

import contextlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.running import prometheus
from tests.support.waiting import free_port
from tools.drawing.query_api import Prometheus

Json = dict[str, Any]
INTERVAL = "1s"
RECEIVER = "--web.enable-remote-write-receiver"
PAGE = Path("docs/operating.md")


def documented(name: str) -> Json:
    """The example in the documentation that has this key at the top or in its first job."""
    section = PAGE.read_text().partition("## Other collectors\n")[2].partition("\n## ")[0]
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL) if name in block)
    return dict(yaml.safe_load(example))


@dataclass(frozen=True, slots=True)
class Scene:
    """What a collector works with.

    Attributes:
        folder: An empty folder for its files.
        rules: The rules that the store evaluates.
        exporter: The exporter's host and port.
    """

    folder: Path
    rules: Path
    exporter: str

    def hurried(self, job: Json) -> Json:
        """A scrape configuration from the documentation, with this exporter and hardly a wait."""
        return job | {
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "static_configs": [{"targets": [self.exporter]}],
        }

    @property
    def plain_job(self) -> Json:
        """What every scraper accepts."""
        return self.hurried({"job_name": "qoder-work"})

    @property
    def converting_job(self) -> Json:
        """The documented job of a Prometheus that converts histograms."""
        (job,) = documented("convert_classic_histograms_to_nhcb")["scrape_configs"]
        return self.hurried(job)

    @contextlib.contextmanager
    def store(self, *jobs: Json, program: str = "prometheus") -> Iterator[Prometheus]:
        """Run a Prometheus that evaluates the rules, has these jobs and may be written to."""
        config = {
            "global": {"evaluation_interval": INTERVAL},
            "rule_files": [str(self.rules)],
            "scrape_configs": list(jobs),
        }
        with prometheus(self.folder, yaml.safe_dump(config), flags=[RECEIVER], program=program) as running:
            yield running


@contextlib.contextmanager
def prometheus_2(scene: Scene) -> Iterator[Prometheus]:
    """Let the Prometheus of the distribution scrape."""
    with scene.store(scene.plain_job) as store:
        yield store


@contextlib.contextmanager
def prometheus_3(scene: Scene) -> Iterator[Prometheus]:
    """Let a Prometheus 3 scrape."""
    with scene.store(scene.plain_job, program="prometheus3") as store:
        yield store


@contextlib.contextmanager
def converting(scene: Scene) -> Iterator[Prometheus]:
    """Let a Prometheus 3 convert histograms and keep the classic ones, as documented."""
    with scene.store(scene.converting_job, program="prometheus3") as store:
        yield store


@contextlib.contextmanager
def converting_only(scene: Scene) -> Iterator[Prometheus]:
    """Let a Prometheus 3 convert histograms without what the documentation asks for."""
    job = scene.converting_job
    del job["always_scrape_classic_histograms"]
    with scene.store(job, program="prometheus3") as store:
        yield store


@contextlib.contextmanager
def remote_write(scene: Scene) -> Iterator[Prometheus]:
    """Let a Prometheus scrape and hand on what it reads."""
    sender = scene.folder / "sender"
    sender.mkdir()
    with scene.store() as store:
        config = {"scrape_configs": [scene.plain_job], "remote_write": [{"url": written_to(store)}]}
        with prometheus(sender, yaml.safe_dump(config)):
            yield store


@contextlib.contextmanager
def vmagent(scene: Scene) -> Iterator[Prometheus]:
    """Let vmagent scrape and hand on what it reads."""
    config = scene.folder / "scrape.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [scene.plain_job]}))
    with scene.store() as store:
        command = [
            "vmagent",
            f"-promscrape.config={config}",
            f"-remoteWrite.url={written_to(store)}",
            f"-remoteWrite.tmpDataPath={scene.folder / 'unsent'}",
            f"-httpListenAddr=127.0.0.1:{free_port()}",
        ]
        with running(scene.folder, command):
            yield store


@contextlib.contextmanager
def opentelemetry(scene: Scene) -> Iterator[Prometheus]:
    """Let an OpenTelemetry collector with the documented configuration scrape and hand on what it reads."""
    config = documented("prometheusremotewrite")
    jobs = config["receivers"]["prometheus"]["config"]
    jobs["scrape_configs"] = [scene.hurried(job) for job in jobs["scrape_configs"]]
    # Its metrics about itself would take a port that another test may want.
    config["service"]["telemetry"] = {"metrics": {"level": "none"}}
    file = scene.folder / "otelcol.yaml"
    with scene.store() as store:
        config["exporters"]["prometheusremotewrite"]["endpoint"] = written_to(store)
        file.write_text(yaml.safe_dump(config))
        with running(scene.folder, ["otelcol", f"--config={file}"]):
            yield store


def written_to(store: Prometheus) -> str:
    """Where others write to this Prometheus."""
    return str(store.client.base_url.join("/api/v1/write"))


@contextlib.contextmanager
def running(folder: Path, command: Sequence[str]) -> Iterator[None]:
    """Run a program until the end of the block, with its log in the folder."""
    output = folder / f"{command[0]}.log"
    with output.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield
            assert process.poll() is None, output.read_text()
        finally:
            process.terminate()
