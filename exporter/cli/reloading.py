"""Loading the configuration again while the exporter runs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from exporter.cli import wiring
from exporter.config import Config, ConfigError
from exporter.metrics.samples import Reload
from exporter.web.app import WebSettings

LOAD_SECONDS = 10.0
"""How long reading the configuration may take: its file may be a pipe that nobody writes to."""

log = structlog.get_logger()


class Reloadable:
    """An exporter by its configuration, and by another one once that is loaded.

    The fleet stays the same: it goes on by the new configuration, and only what differs is replaced.

    Args:
        config: What to begin with.
        load: Reads the configuration again; raises `ConfigError`.
        telemetry_path: Where the metrics are.

    Raises:
        Exception: The clients cannot be made.
    """

    def __init__(self, config: Config, load: Callable[[], Config], telemetry_path: str) -> None:
        self._load = load
        self._telemetry_path = telemetry_path
        self._loading = asyncio.Lock()
        self.fleet = wiring.make_fleet(config)
        self.settings: WebSettings = wiring.web_settings(config, telemetry_path)
        self.loaded: Reload = wiring.loaded_now()

    async def reload(self) -> Sequence[str]:
        """Load the configuration again, and return why that failed, one line per error; then nothing has changed."""
        async with self._loading:
            try:
                await self._go_on_by(await self._read())
            except ConfigError as error:
                return self._refused([str(problem) for problem in error.problems])
            except TimeoutError:
                return self._refused([f"the configuration could not be read within {LOAD_SECONDS:g} s"])
            except (OSError, ValueError) as error:
                return self._refused([str(error) or type(error).__name__])
            except Exception as error:  # whatever it is, what runs must go on
                log.exception("configuration not loaded: this is a defect of the exporter")
                return self._refused([f"{type(error).__name__}: {error}"])
            log.info("configuration loaded")
            return []

    async def _read(self) -> Config:
        async with asyncio.timeout(LOAD_SECONDS):
            return await asyncio.to_thread(self._load)

    async def _go_on_by(self, config: Config) -> None:
        settings = wiring.web_settings(config, self._telemetry_path)
        await self.fleet.reconfigure(wiring.all_account_settings(config), wiring.tracking_settings(config))
        self.settings, self.loaded = settings, wiring.loaded_now()

    def _refused(self, problems: list[str]) -> list[str]:
        log.error("configuration not loaded; the old one stays", problems=problems)
        self.loaded = replace(self.loaded, successful=False, problems=tuple(problems))
        return problems
