"""`inspect`: for a person on call, in a terminal."""

from exporter.cli.inspect.command import inspect

__all__ = ["inspect"]
