"""Loading the configuration again while the exporter runs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from exporter.cli import wiring
from exporter.config import Config, ConfigError
from exporter.metrics.families import Reload
from exporter.web.app import WebSettings

log = structlog.get_logger()


class Reloadable:
    """An exporter by its configuration, and by another one once that is loaded.

    A new configuration gets a new fleet, which takes over what the old one knows of each environment; until it has
    looked up what to watch, the old one goes on.

    Args:
        load: Reads the configuration; raises `ConfigError`.
        telemetry_path: Where the metrics are.
    """

    def __init__(self, load: Callable[[], Config], telemetry_path: str) -> None:
        self._load = load
        self._telemetry_path = telemetry_path
        self._config = load()
        self._loading = asyncio.Lock()
        self.fleet = wiring.make_fleet(self._config)
        self.settings: WebSettings = wiring.web_settings(self._config, telemetry_path)
        self.loaded: Reload = wiring.loaded_now()

    async def reload(self) -> Sequence[str]:
        """Load the configuration again, and return why that failed, a line an error; then the old one stays."""
        async with self._loading:
            try:
                config = self._load()
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
                log.error("configuration not loaded; the old one stays", problems=problems)  # noqa: TRY400 - said in full
                self.loaded = replace(self.loaded, successful=False, problems=tuple(problems))
                return problems
            if config != self._config:
                await self._take_over(config)
                log.info("configuration loaded")
            self.settings = wiring.web_settings(config, self._telemetry_path)
            self.loaded = wiring.loaded_now()
            return []

    async def _take_over(self, config: Config) -> None:
        old, new = self.fleet, wiring.make_fleet(config, self.fleet.records())
        try:
            await new.start()
        except BaseException:
            await new.close()
            raise
        self.fleet, self._config = new, config
        await old.close()
