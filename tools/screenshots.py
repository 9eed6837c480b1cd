"""Take the README's pictures of the status page: ``python -m tools.screenshots URL``, while ``make demo`` runs."""

import shutil
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"

SHOTS: tuple[tuple[str, str, int, int, Literal["light", "dark"]], ...] = (
    ("status-page.png", "", 1280, 960, "light"),
    ("status-item.png", "environments/gpu-workers", 390, 844, "dark"),
)
"""File, page, width, height and colours of each picture."""


def take(url: str) -> None:
    """Take the pictures of an exporter at this address, which ends in a slash."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for file, path, width, height, scheme in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(url + path)
            page.screenshot(path=IMAGES / file)
            page.close()
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1])
