"""Take the pictures of the studio for README.md and docs/studio.md.

    python docs/pictures/studio.py PAINTINGS

PAINTINGS is a folder with style pictures to choose from. The photo is scikit-image's "chelsea". It
needs a browser, as the tests do, and takes some minutes on two processor cores.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from playwright.sync_api import Page, expect, sync_playwright

FOLDER = Path(__file__).with_name("studio")

#: The most bytes of a picture, and the JPEG qualities that are tried.
BYTES = 150_000
QUALITIES = (88, 80, 70, 60, 50)

#: What is painted: enough to look at, in little time.
PAINTED = {"size": 320, "optimizer": {"use": "adam", "steps": 120, "learning_rate": 0.015}}

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}

#: Networks are loaded, and the picture is painted, within this; in milliseconds.
PATIENCE = 1_800_000


@contextmanager
def studio(paintings: Path, session: Path) -> Iterator[str]:
    """Start a studio; its address."""
    photo = files("instyle_core") / "demo" / "cat.png"
    code = "from instyle_core.cli import main; main()"
    options = ["--styles", paintings, "--session", session, "--port", 0, "--no-browser"]
    command = [sys.executable, "-c", code, "studio", photo, *options]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def shoot(page: Page, name: str) -> None:
    """Write a picture of the page that is not too large."""
    for quality in QUALITIES:
        data = page.screenshot(type="jpeg", quality=quality)
        if len(data) <= BYTES:
            break
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.jpg").write_bytes(data)
    print(f"{name}.jpg: {len(data)} bytes")


def change(page: Page, changes: dict[str, Any]) -> None:
    """Change the spec, as text."""
    page.click("#all-settings")
    page.click("#as-text")
    text = page.locator("#yaml")
    expect(text).not_to_have_value("")
    text.fill(yaml.safe_dump({**yaml.safe_load(text.input_value()), **changes}))
    page.click("#apply-text")
    expect(page.locator("#settings")).to_be_hidden()


def main(paintings: Path, painting: str) -> None:
    expect.set_options(timeout=PATIENCE)
    with TemporaryDirectory() as session, sync_playwright() as playwright:
        path = shutil.which("chromium")  # else the one of Playwright
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with studio(paintings, Path(session)) as address:
            page = browser.new_page(**DESK, color_scheme="light")
            page.goto(address)
            expect(page.locator(".tag")).to_be_visible()
            page.locator("#canvas").click(position={"x": 430, "y": 420})
            expect(page.locator(".best")).to_be_visible()
            page.locator(f".tile[title^='{painting}']").first.click()
            page.mouse.move(0, 0)
            shoot(page, "object")
            change(page, PAINTED)
            page.click("#paint")
            expect(page.locator("#time-left")).to_contain_text(re.compile("^[5-9][0-9] of 120"))
            page.wait_for_timeout(1500)  # the live picture of such a step
            shoot(page, "painting")
            expect(page.locator("#stop")).to_be_hidden()
            expect(page.locator("#step-keep")).to_be_visible()
            page.emulate_media(color_scheme="dark")
            page.locator("#settings-of-run summary").click()
            page.wait_for_timeout(500)
            shoot(page, "result")
            phone = browser.new_page(**PHONE, color_scheme="light")
            phone.goto(address)
            expect(phone.locator("#objects .name")).to_be_visible()
            expect(phone.locator("#step-keep")).to_be_visible()
            phone.wait_for_timeout(1000)
            shoot(phone, "phone")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paintings", type=Path, help="a folder with style pictures")
    parser.add_argument("--painting", default="", help="how the one's name begins that is chosen")
    arguments = parser.parse_args()
    main(arguments.paintings, arguments.painting)
