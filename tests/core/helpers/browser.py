"""A browser for tests: the system's Chromium, else the one that Playwright has installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Without a sandbox, it starts in containers too; it shows nothing but the files of tests.
_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage"]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser without a window.

    Raises:
        AssertionError: there is none.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        except Error as error:
            reason = str(error).splitlines()[0]
            hint = "install Chromium, or run `.venv/bin/playwright install chromium`"
            raise AssertionError(f"these tests need a browser: {hint} ({reason})") from None
        try:
            yield browser
        finally:
            browser.close()
