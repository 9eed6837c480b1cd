"""The few PromQL forms that several rules share."""

from typing import Final

ENVIRONMENT: Final = ("environment_id", "environment")
"""What tells environments apart. The exporter's own job and instance are left out, so that a pair of exporters
that watch the same environment, under whatever job, gives one alert."""

BY_ENVIRONMENT: Final = ", ".join(ENVIRONMENT)


def duration(seconds: float) -> str:
    """Write seconds as a PromQL duration in its largest whole unit, for instance ``15m``."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def spoken(seconds: float) -> str:
    """Write seconds for a sentence, for instance ``15 min``."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def number(value: float) -> str:
    """Write a number as PromQL takes it, without a needless fraction."""
    return f"{value:g}"


def bound(value: float) -> str:
    """Write a bucket's upper bound as the exposition does, for instance ``300.0``."""
    return repr(float(value))
