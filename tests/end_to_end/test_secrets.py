"""What must not be shown is shown nowhere: an API that says it everywhere, and everything that the program puts out."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread, Status
from tests.end_to_end.running import exporter, without_settings, written
from tests.support.waiting import PATIENCE, until

MARK = "m4rk3r"
"""Part of everything that must not be shown."""

TOKEN = f"pt-{MARK}-token-0123456789"
ENVIRONMENT = "env_019e64e01a137caf953ac2ac7b42ec5c"
WORK = "work_019f3be4fd2475d9a784bf2c739e1194"
SESSION = "sess_019f3be3fa66750bb9a1fbcde85b5fe1"
HEADERS = {
    "Set-Cookie": f"session={MARK}-cookie",
    "X-Token": f"{MARK}-header",
    "Server": f"{MARK}-server",
    "WWW-Authenticate": f'Bearer realm="{MARK}-realm"',
    "Location": f"http://127.0.0.1:9/{MARK}-location",
}
FAULTS = ("none", "401", "403", "404", "429", "500", "redirect", "json", "types", "html", "truncated", "status line")


def work(number: int = 0) -> dict[str, Any]:
    """A work item; a mark in every field but those that are meant to be shown."""
    return {
        "id": WORK[:-2] + f"{number:02x}",
        "type": f"{MARK}-type",
        "environment_id": ENVIRONMENT,
        "data": {"type": "session", "id": SESSION, "secret": f"{MARK}-data-secret"},
        "state": "active",
        "secret": f"{MARK}-secret",
        "created_at": "2026-07-01T08:15:01Z",
        "acknowledged_at": "2026-07-01T08:15:02Z",
        "started_at": "2026-07-01T08:15:03Z",
        "latest_heartbeat_at": "2026-07-01T08:15:04Z",
        "stop_requested_at": None,
        "stopped_at": None,
        "metadata": {f"{MARK}-key": f"{MARK}-value", "job": f"{MARK}-job"},
        f"{MARK}-field": [f"{MARK}-list", {"x": f"{MARK}-nested"}],
    }


def answer(path: str) -> dict[str, Any]:
    if path.endswith("/environments"):
        environment = {
            "id": ENVIRONMENT,
            "name": "gpu-workers",
            "type": f"{MARK}-type",
            "description": f"{MARK}-description",
            "metadata": {"a": f"{MARK}-metadata"},
            "config": {"type": "self_hosted", "secret": f"{MARK}-config"},
        }
        return {"data": [environment], "has_more": False, "next_page": None, "note": f"{MARK}-note"}
    if path.endswith("/stats"):
        return {"depth": 1, "pending": 0, "workers_polling": 1, "oldest_queued_at": None, "note": f"{MARK}-note"}
    items = [work(number) for number in range(3)]
    first, last = items[0]["id"], items[-1]["id"]
    if path.rsplit("/", 1)[-1].startswith("work_"):
        return items[0]
    return {"data": items, "first_id": first, "last_id": last, "has_more": False, "next_page": None, "x": MARK}


class Talkative(BaseHTTPRequestHandler):
    """An API that repeats every secret it knows."""

    fault = "none"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        secrets = f"token {TOKEN} of {self.headers['Authorization']} with {MARK}-secret and {MARK}-value is wrong"
        error = json.dumps({"type": "error", "error": {"type": f"{MARK}-kind", "message": secrets}, MARK: MARK})
        body = json.dumps(answer(path))
        match self.fault:
            case "none":
                self.reply(200, body)
            case "redirect":
                self.reply(302, error)
            case "json":
                self.reply(200, body[: len(body) // 2])
            case "types":
                self.reply(200, json.dumps({"data": f"{MARK}-data", "has_more": f"{MARK}-more"}))
            case "html":
                self.reply(200, f"<html><title>{MARK}-title {TOKEN}</title></html>", "text/html")
            case "truncated":
                self.reply(200, body, length=len(body) + 100)
                self.close_connection = True
            case "status line":
                self.wfile.write(f"HTTP/1.1 {TOKEN} {MARK}-status\r\n\r\n".encode())
                self.close_connection = True
            case status:
                self.reply(int(status), error)

    def reply(self, status: int, body: str, kind: str = "application/json", length: int | None = None) -> None:
        self.send_response(status, f"{MARK}-reason")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def talkative_api() -> Iterator[tuple[str, type[Talkative]]]:
    handler = type("Handler", (Talkative,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v1/cloud", handler
        server.shutdown()


@pytest.mark.parametrize("format_", ["logfmt", "json"])
def test_no_secret_is_in_any_output(format_: str, tmp_path: Path) -> None:
    variables = {
        "QODER_PAT": TOKEN,
        "QODER_EXPORTER_LOG_FORMAT": format_,
        "UNRELATED": f"{MARK}-variable",
        "HTTPS_PROXY": f"http://user:{MARK}-password@127.0.0.1:9",
        "HTTP_PROXY": f"http://user:{MARK}-password@127.0.0.1:9",
    }
    outputs: dict[str, str] = {}
    with talkative_api() as (base_url, api):
        config = {
            "accounts": [{"base_url": base_url, "token_env": "QODER_PAT", "request_timeout": "5s"}],
            "scrape": {"min_interval": "0s", "timeout": "5s"},
            "history": {"checkpoint": str(tmp_path / "checkpoint")},
        }
        with exporter(tmp_path, config, variables) as running:
            until(lambda: 'state="active"} 3.0' in running.scrape(), "the items")
            for fault in FAULTS:
                api.fault = fault
                for path in PAGES if fault == "none" else SHORT:
                    found = running.get(path, patience="1.5")
                    assert found.status_code == 200 or fault != "none" or path == "/nowhere", path
                    outputs[f"{fault} {path}"] = f"{found.headers} {found.text}"
                outputs[f"{fault} reload"] = httpx.post(f"http://{running.address}/-/reload", timeout=PATIENCE).text
                if fault in ONCE and format_ == "logfmt":
                    outputs[f"{fault} once"] = command(["once", "--log.level=debug"], tmp_path, config, variables)
            api.fault = "none"
            until(lambda: "qoder_work_up" in running.scrape(), "the last scrape")
            running.stop()
            outputs["log"] = running.written
        outputs["check"] = command(["check"], tmp_path, config, variables)
        bad = {"accounts": [{"base_url": f"http://user:{MARK}-password@127.0.0.1:9", "token": f"{MARK}-inline"}]}
        outputs["check of a bad file"] = command(["check"], tmp_path, bad, variables)
    outputs["checkpoint"] = "".join(
        file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*checkpoint*") if file.is_file()
    )
    assert ENVIRONMENT in outputs["checkpoint"]
    assert len(outputs["log"].splitlines()) > len(FAULTS)
    shown = {name: text[max(0, text.index(MARK) - 200) :][:400] for name, text in outputs.items() if MARK in text}
    assert not shown, shown
    assert not [name for name, text in outputs.items() if "Traceback" in text]


PAGES = ["/metrics", "/", f"/environments/{ENVIRONMENT}", "/-/ready", "/-/healthy", "/sd", "/api/v1/environments",
         f"/api/v1/environments/{ENVIRONMENT}", "/probe?target=gpu-workers", "/nowhere"]  # fmt: skip
SHORT = PAGES[:4]
"""Those that show what failed."""

ONCE = ("none", "status line")
"""The faults with which a collection is also tried as a command, which takes a second each."""


def command(arguments: list[str], folder: Path, config: dict[str, Any], variables: dict[str, str]) -> str:
    folder = folder / "commands"
    folder.mkdir(exist_ok=True)
    config = {name: section for name, section in config.items() if name != "history"}
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments, "--config.file", str(written(folder, config))],
        env=without_settings(variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


HOSTILE = "a\x1b[2J\x07\x9b31m\u202eb\nforged: line\r\u2028c"


@pytest.mark.parametrize("format_", ["logfmt", "json"])
def test_a_hostile_name_steers_no_terminal_and_forges_no_line(format_: str, tmp_path: Path) -> None:
    simulation = Simulation()
    environment_id = simulation.create_environment(HOSTILE)
    simulation.create_environment("harmless")
    simulation.faults.add(Status(status=403, environment_id=environment_id))
    with SimulatorThread(simulation) as api:
        variables = {"QODER_PAT": DEFAULT_TOKEN, "QODER_EXPORTER_LOG_FORMAT": format_}
        config = {"accounts": [{"base_url": api.base_url, "token_env": "QODER_PAT"}]}
        outputs = [command(arguments, tmp_path, config, variables) for arguments in (["once"], ["inspect"])]
        with exporter(tmp_path, config, variables) as running:
            until(lambda: "403" in running.get("/").text, "the failure")
            outputs += [running.get(path).text for path in PAGES]
            running.stop()
            outputs.append(running.written)
    assert sum("forged: line" in output for output in outputs) >= 4
    for output in outputs:
        assert not set("\x1b\x07\x9b\u202e\r\u2028") & set(output), output[:2000]
        if "<!doctype" not in output:  # where a newline is a space
            assert not [line for line in output.splitlines() if line.startswith("forged")]
