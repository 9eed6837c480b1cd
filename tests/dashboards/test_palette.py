"""The colours of a group stay apart for those who see red and green alike."""

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from exporter.mixin import palette

Array = npt.NDArray[np.float64]
Sight = Literal["all colours", "no red", "no green"]

# Vienot, Brettel and Mollon, "Digital video colourmaps for checking the legibility of displays by dichromats", 1999.
TO_CONES = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
SEEN = {
    "all colours": np.eye(3),
    "no red": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "no green": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)

JUST_APART = 15
"""A difference in CIELAB that is seen side by side at a glance; 2.3 is where one begins to be seen at all."""


def linear(colour: str) -> Array:
    channels = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: Array) -> Array:
    x, y, z = (
        np.cbrt(share) if share > 0.008856 else 7.787 * share + 16 / 116 for share in TO_XYZ @ rgb.clip(0, 1) / WHITE
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, sight: Sight) -> float:
    seen = np.linalg.inv(TO_CONES) @ SEEN[sight] @ TO_CONES
    return float(np.linalg.norm(lab(seen @ linear(one)) - lab(seen @ linear(other))))


def test_the_measure_knows_what_red_and_green_are_to_whom() -> None:
    assert difference("#c04040", "#6b7a3a", "all colours") > 3 * difference("#c04040", "#6b7a3a", "no green")
    assert difference("#000000", "#ffffff", "no red") == pytest.approx(100, abs=1)


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize(
    "group",
    [
        palette.STATES,
        {**palette.SEVERITIES, "ok": palette.OK},
        palette.FLOWS,
        palette.BURN,
        {"depth": palette.STATES["queued"], "pending": palette.PENDING},
        {"workers": palette.WORKERS, "queued": palette.STATES["queued"]},
        {quantile: palette.QUANTILES[quantile] for quantile in ("p50", "p95", "p99")},
    ],
    ids=["states", "severities", "flows", "burn", "queue", "polling", "quantiles"],
)
def test_colours_on_one_panel_stay_apart(group: dict[str, str], sight: Sight) -> None:
    close = [
        (one, other)
        for one, other in itertools.combinations(group, 2)
        if difference(group[one], group[other], sight) < JUST_APART
    ]
    assert close == []
