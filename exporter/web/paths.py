"""The paths that are the server's own."""

HEALTHY, READY, RELOAD = "/-/healthy", "/-/ready", "/-/reload"

OPEN_PATHS = frozenset({HEALTHY, READY})
"""Answered to anybody and under any load: whatever runs the exporter asks for these, and they say nothing else."""
