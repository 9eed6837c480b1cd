"""A real Alertmanager for a test, with the example's routes and inhibitions, and somebody who listens to it."""

import contextlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.rules.places import ALERTMANAGER_CONFIG
from tests.support.waiting import free_port, until

Notification = dict[str, Any]


class Listener:
    """Receives Alertmanager's webhooks while its ``with`` block lasts.

    Attributes:
        url: Its address; the path is the receiver's name.
    """

    def __init__(self) -> None:
        self._received: list[tuple[str, Notification]] = []
        received = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path.strip("/"), json.loads(body) | {"at": time.time()}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as inherited
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def notifications(self, receiver: str) -> list[Notification]:
        """What a receiver was told, in order, each with the time ``at`` which it was."""
        return [notification for name, notification in list(self._received) if name == receiver]

    def heard(self, receiver: str, status: str) -> list[dict[str, Any]]:
        """The alerts of this status that a receiver was told of, each as often as it was."""
        return [
            alert
            for notification in self.notifications(receiver)
            for alert in notification["alerts"]
            if alert["status"] == status
        ]


def impatient(listener_url: str) -> dict[str, Any]:
    """The example's configuration, with this listener for every receiver, and hardly a wait."""
    config: dict[str, Any] = yaml.safe_load(ALERTMANAGER_CONFIG.read_text())
    for receiver in config["receivers"]:
        for webhook in receiver.get("webhook_configs", []):
            webhook["url"] = f"{listener_url}/{receiver['name']}"
    routes = [config["route"]]
    for route in routes:
        route |= {"group_wait": "1s", "group_interval": "1s"}
        routes += route.get("routes", [])
    return config


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str

    def fire(self, *alerts: dict[str, str]) -> None:
        """Let alerts with these labels fire."""
        body = [{"labels": labels} for labels in alerts]
        httpx.post(f"{self.url}/api/v2/alerts", json=body).raise_for_status()

    def heard(self) -> set[tuple[str, str]]:
        """The alerts that no other alert silences, each by its name and by what it is about."""
        return self._alerts(active="true", inhibited="false")

    def silenced(self) -> set[tuple[str, str]]:
        """The alerts that another alert silences."""
        return self._alerts(active="false", inhibited="true")

    def _alerts(self, **filters: str) -> set[tuple[str, str]]:
        found = httpx.get(f"{self.url}/api/v2/alerts", params=filters).raise_for_status().json()
        return {(alert["labels"]["alertname"], about(alert["labels"])) for alert in found}


def about(labels: dict[str, str]) -> str:
    """What an alert is about."""
    return labels.get("environment") or labels.get("account") or labels.get("instance") or ""


@contextlib.contextmanager
def alertmanager(
    folder: Path, listener_url: str, settings: Callable[[str], dict[str, Any]] = impatient
) -> Iterator[Alertmanager]:
    """Run Alertmanager until the end of the block.

    Args:
        folder: An empty folder for its files.
        listener_url: Where it sends its notifications.
        settings: Makes its configuration, given that address.
    """
    program = shutil.which("prometheus-alertmanager")
    assert program
    address = f"127.0.0.1:{free_port()}"
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump(settings(listener_url)))
    output = folder / "alertmanager.log"
    command = [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with output.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:

            def ready() -> bool:
                assert process.poll() is None, output.read_text()
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(f"http://{address}/-/ready").status_code == 200
                return False

            until(ready, "Alertmanager to be ready")
            yield Alertmanager(f"http://{address}")
        finally:
            process.terminate()
