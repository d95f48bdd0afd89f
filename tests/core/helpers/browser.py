"""A browser for tests: the system's Chromium, else the one that Playwright has installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: Without a sandbox, it starts in containers too; it shows nothing but the files of tests.
_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage"]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser without a window.

    Where there is none, the test fails with one sentence.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync_playwright() as playwright:
        browser, reason = None, ""
        try:
            browser = playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        except Error as error:
            reason = str(error).splitlines()[0]
        if browser is None:
            hint = "install Chromium, or run `.venv/bin/playwright install chromium`"
            pytest.fail(f"this test needs a browser: {hint} ({reason})", pytrace=False)
        try:
            yield browser
        finally:
            browser.close()
