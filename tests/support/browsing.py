"""Pages as a real Chromium shows them. `ORCHARD_SCREENSHOTS=FOLDER` keeps pictures of them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH; apt-get install chromium"),
]
_ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def open_page() -> Iterator[object]:
    """An empty page in a browser of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1700, "height": 900})
        page.set_default_timeout(120_000)
        yield page
        browser.close()


def keep_screenshot(page, name: str) -> None:
    if folder := os.environ.get("ORCHARD_SCREENSHOTS"):
        page.wait_for_timeout(1000)  # until charts have settled
        page.screenshot(path=Path(folder) / name)
