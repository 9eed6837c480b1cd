"""How numbers are written in PromQL and in sentences."""


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


def le(bound: float) -> str:
    """Match one bucket bound, whichever way the scraper writes whole numbers (``300`` or ``300.0``)."""
    return f'le=~"{bound:g}(\\\\.0)?"'
