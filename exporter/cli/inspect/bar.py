"""How far a long reading has come, as a bar on a terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from exporter.cli.inspect import render


class Bar:
    """A bar that is there from `start` to `stop`.

    Args:
        console: The terminal.
    """

    def __init__(self, console: Console) -> None:
        columns = (BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("asking", total=None)

    def start(self) -> None:
        """Show it."""
        self._progress.start()

    def stop(self) -> None:
        """Let it vanish."""
        self._progress.stop()

    def tell(self, text: str, done: int, total: int) -> None:
        """Say how far it is; of a single environment nobody knows beforehand how long its list is."""
        self._progress.update(
            self._task, description=render.clean(text), completed=done, total=total if total > 1 else None
        )
