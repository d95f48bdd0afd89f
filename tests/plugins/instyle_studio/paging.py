"""The page of the studio in a browser, as a person uses it: with a mouse, or with a finger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.plugins.instyle_studio.serving import Server

#: Networks are loaded, and small pictures painted, within this; in milliseconds. It is long, since
#: other tests run at the same time.
PATIENCE = 300_000

#: The width and height of the photo, in pixels: so few that networks look at it quickly.
WIDTH, HEIGHT = 226, 150

#: Pixels (x, y) of it that are the cat's, and that are not.
CAT, WALL = (113, 90), (214, 15)

#: Two screens, as Playwright takes them: that of a desk and that of a phone.
SCREENS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@dataclass
class Visit:
    """Somebody at the page.

    Attributes:
        page: of the browser.
        touch: whether a finger is used.
        clicks: how often something was clicked or touched.
        faults: what the page's scripts complained of.
    """

    page: Page
    touch: bool
    clicks: int = 0
    faults: list[str] = field(default_factory=list)

    def press(self, selector: str) -> None:
        """Click or touch what a selector finds."""
        self.clicks += 1
        place = self.page.locator(selector)
        if self.touch:
            place.tap()
        else:
            place.click()

    def press_picture(self, pixel: tuple[int, int], *, away: bool = False) -> None:
        """Click or touch the picture.

        Args:
            pixel: x and y of the photo.
            away: with Shift, to say that this is not the object's.
        """
        self.clicks += 1
        left, top, width, height = self.photo_on_canvas()
        x, y = (pixel[0] + 0.5) / WIDTH, (pixel[1] + 0.5) / HEIGHT
        place = {"x": left + x * width, "y": top + y * height}
        canvas = self.page.locator("#canvas")
        if self.touch:
            canvas.tap(position=place)
        else:
            canvas.click(position=place, modifiers=["Shift"] if away else [])

    def photo_on_canvas(self) -> tuple[float, float, float, float]:
        """Where the photo lies on the canvas while it is shown whole, in CSS pixels."""
        box = self.page.locator("#canvas").bounding_box()
        assert box
        margin = min(24, box["width"] * 0.03)
        room = box["width"] - 2 * margin, box["height"] - 2 * margin
        scale = min(room[0] / WIDTH, room[1] / HEIGHT, 4)
        width, height = WIDTH * scale, HEIGHT * scale
        return (box["width"] - width) / 2, (box["height"] - height) / 2, width, height

    def drop(self, selector: str, *files: Path) -> None:
        """Drag files into the page, and drop them on what a selector finds."""
        box = self.page.locator(selector).bounding_box()
        assert box
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        devtools = self.page.context.new_cdp_session(self.page)
        for kind in ("dragEnter", "dragOver", "drop"):
            devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})

    def choose(self, selector: str, *files: Path) -> None:
        """Press a button that asks for files, and give it these."""
        with self.page.expect_file_chooser() as chooser:
            self.press(selector)
        chooser.value.set_files(files)

    def download(self, selector: str) -> bytes:
        """Press a link; the file that comes."""
        with self.page.expect_download() as coming:
            self.press(selector)
        return Path(coming.value.path()).read_bytes()

    def spec(self) -> dict[str, Any]:
        """The spec that the page shows as text."""
        self.press("#all-settings")
        self.press("#as-text")
        expect(self.page.locator("#yaml")).not_to_have_value("")
        spec = yaml.safe_load(self.page.locator("#yaml").input_value())
        self.press("#close-settings")
        return spec

    def object_is(self, *names: str) -> None:
        """Wait until these are the names of the objects."""
        expect(self.page.locator("#objects .name")).to_have_text(names)

    def wait_for_end(self) -> None:
        """Wait until nothing is being painted, and the result is there."""
        expect(self.page.locator("#step-keep")).to_be_visible()
        expect(self.page.locator("#stop")).to_be_hidden()

    def wait_until_drawn(self) -> None:
        """Wait until the canvas shows what was done; it is drawn in the next frame."""
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def is_accessible(self) -> None:
        """axe-core finds nothing that is wrong; of what differs in the dark, neither there."""
        for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(self.page, options=options)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"


def mask(one: Visit, server: Server) -> np.ndarray:
    """The mask of the object that is edited, as it can be downloaded."""
    address = one.page.locator("#download-mask").get_attribute("href")
    return decoded(server.get(str(address)).content)


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def value(samples: np.ndarray, pixel: tuple[int, int]) -> int:
    return int(samples[pixel[1], pixel[0]])


@contextmanager
def visit(browser: Browser, server: Server, screen: str) -> Iterator[Visit]:
    """Open the page as the terminal's address does; its scripts must not complain."""
    context = browser.new_context(**SCREENS[screen], reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    one = Visit(page, touch=screen == "phone")
    page.on("pageerror", lambda error: one.faults.append(str(error)))
    page.on(
        "console",
        lambda told: one.faults.append(told.text) if told.type == "error" else None,
    )
    page.goto(f"{server.address}/?token={server.token}")
    try:
        yield one
        assert not one.faults, one.faults
    finally:
        context.close()
