"""How far the exporter may go while everything goes wrong around it."""

MEMORY = 200 * 2**20
"""Bytes that the process may have resident at any time."""

MAX_AGE = 30
"""Seconds: no older are a neighbour's data at any time, on a machine that does a lot besides."""

SOCKETS_PER_ACCOUNT, OTHER_SOCKETS = 4, 20
"""Open when all is well again: what an account's `max_concurrency` allows, and what the process itself needs."""

WARNINGS = 60
"""Lines of warnings and errors in the log, of all faults together."""
