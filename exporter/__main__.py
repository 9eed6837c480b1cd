"""``python -m exporter``."""

import signal


def _terminate(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


# The kernel keeps a signal without a handler from PID 1, which this is in a container: until a command has a handler of
# its own, as the server has, and in those that have none.
signal.signal(signal.SIGTERM, _terminate)

from exporter.cli import main  # noqa: E402 - loading it takes the time in which this matters

main(prog_name=main.name)
