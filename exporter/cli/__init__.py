"""The command line: it puts the other rooms together."""

from exporter.cli.commands import main

__all__ = ["main"]
