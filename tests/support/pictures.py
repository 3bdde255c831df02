"""Pictures of every screen that the browser tests see, and a page that shows them all: `screenshots/index.html`.

BALLOT_SCREENSHOTS names another folder, or is 0 for no pictures. The folder is not committed.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.chromium import DESK, PHONE
from tests.support.need import ROOT

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FOLDER = Path(os.environ.get("BALLOT_SCREENSHOTS") or ROOT / "screenshots")
WANTED = os.environ.get("BALLOT_SCREENSHOTS") != "0"
TALLEST = 12_000  # pixels; what is longer is cut


def file_name(name: str, width: int, look: str = "") -> str:
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{width}{f'-{look}' if look else ''}.png"


def take(driver: Chrome, name: str, width: int, look: str = "") -> None:
    """The whole page as it stands, in the window's present width."""
    if not WANTED:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    tall = driver.execute_script("return Math.max(document.documentElement.scrollHeight, innerHeight)")
    clip = {"x": 0, "y": 0, "width": width, "height": min(tall, TALLEST), "scale": 1}
    options = {"format": "png", "optimizeForSpeed": True, "captureBeyondViewport": True, "clip": clip}
    picture = driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
    (FOLDER / file_name(name, width, look)).write_bytes(base64.b64decode(picture))


@contextmanager
def as_wide_as(driver: Chrome, size: tuple[int, int]) -> Iterator[None]:
    """The window has this size for a while."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def take_both(driver: Chrome, name: str) -> None:
    """On a phone and on a desk."""
    if WANTED:
        for size in (PHONE, DESK):
            with as_wide_as(driver, size):
                take(driver, name, size[0])


def write_index() -> None:
    """One page with all pictures in the folder, each screen's beside one another."""
    screens: dict[str, list[Path]] = {}
    for path in sorted(FOLDER.glob("*.png")):
        screens.setdefault(re.sub(r"-\d+(-\w+)?\.png$", "", path.name), []).append(path)
    if not screens:
        return
    parts = []
    for name, paths in screens.items():
        shown = "".join(
            f'<a href="{quote(p.name)}"><img src="{quote(p.name)}" alt="{html.escape(p.stem)}" height="360" loading="lazy"></a>\n'
            for p in paths
        )
        parts.append(f"<section>\n<h2>{html.escape(name.replace('-', ' '))}</h2>\n{shown}</section>\n")
    style = (
        "body{font:1rem system-ui;margin:2rem;background:#888}"
        "section{display:inline-block;margin:0 2rem 2rem 0;vertical-align:top}img{margin-right:.5rem}"
    )
    page = (
        '<!doctype html>\n<html lang="en-GB"><head><meta charset="utf-8"><title>Every screen</title>\n'
        f"<style>{style}</style></head>\n<body><h1>{len(screens)} screens</h1>\n{''.join(parts)}</body></html>\n"
    )
    (FOLDER / "index.html").write_text(page, encoding="utf-8")
