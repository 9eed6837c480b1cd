"""Numbers as Grafana writes them."""

_DURATIONS = ((86_400.0, "days"), (3600.0, "hours"), (60.0, "mins"), (1.0, "s"), (1e-3, "ms"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_THOUSANDS = ((1e9, "B"), (1e6, "M"), (1e3, "K"))
_SUFFIXES = {"reqps": " req/s", "ops": " ops/s", "cps": " c/s"}


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    digits = next((digits for limit, digits in ((100, 0), (10, 1), (1, 2)) if abs(value) >= limit), 3)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, scales: tuple[tuple[float, str], ...], separator: str, decimals: int | None) -> str | None:
    for scale, suffix in scales:
        if abs(value) >= scale:
            written = _digits(value / scale, decimals)
            return f"{written}{separator}{suffix.removesuffix('s') if written == '1' and len(suffix) > 2 else suffix}"
    return None


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """Write a value with its unit.

    Args:
        value: The value.
        unit: Grafana's name of the unit.
        decimals: Digits after the point; by default as many as are worth reading.
    """
    match unit:
        case "s":
            return _scaled(value, _DURATIONS, " ", decimals) or "0 s"
        case "bytes":
            return _scaled(value, _BYTES, " ", decimals) or f"{_digits(value, decimals)} B"
        case "percentunit":
            return f"{_digits(value * 100, decimals)}%"
        case "short":
            return _scaled(value, _THOUSANDS, " ", decimals) or _digits(value, decimals)
        case _:
            return _digits(value, decimals) + _SUFFIXES.get(unit, "")
