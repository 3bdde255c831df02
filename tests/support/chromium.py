"""Headless Chromium, as large as a phone unless told otherwise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.need import missing, program

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PATIENCE = 30  # seconds that a loaded machine may take for one step
PHONE = (360, 740)
DESK = (1280, 900)
QUIET = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # the tests talk to this machine alone: every other name goes nowhere
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)


@contextmanager
def browser(size: tuple[int, int] = PHONE, *, javascript: bool = True, downloads: Path | None = None) -> Iterator[Chrome]:
    """A fresh profile in a window of this size; a size narrower than 600 pixels is shown as a touch screen."""
    try:
        from selenium import webdriver
    except ImportError:
        missing("selenium", "pip install 'ballot[test]'")
    binary = program("chromium", package="chromium")
    driver_path = program("chromedriver", package="chromium-driver")
    with tempfile.TemporaryDirectory(prefix="ballot-chromium-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(binary)
        for argument in (*QUIET, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium's sandbox refuses to run as root
        if size[0] < 600:
            metrics = {"width": size[0], "height": size[1], "pixelRatio": 2.0, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        preferences: dict[str, object] = {}
        if not javascript:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        if downloads is not None:
            preferences |= {"download.default_directory": str(downloads), "download.prompt_for_download": False}
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=str(driver_path)))
        try:
            driver.set_page_load_timeout(60)
            yield driver
        finally:
            driver.quit()


@contextmanager
def next_page(driver: Chrome) -> Iterator[None]:
    """What is done inside leads to another page; afterwards that page stands."""
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.wait import WebDriverWait

    begun = "return document.readyState === 'complete' ? performance.timeOrigin : null"
    before = driver.execute_script("return performance.timeOrigin")
    yield
    # Between two pages the driver may complain of a node or a frame without a document: then it is asked again.
    wait = WebDriverWait(driver, PATIENCE, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
    wait.until(lambda _: driver.execute_script(begun) not in {None, before}, f"no page after {driver.current_url}")
