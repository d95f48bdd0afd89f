"""The report of a run in a browser, from its file: the slider, the zoom, no foreign script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from instyle_core.runs import report
from tests.core.helpers.browser import open_browser
from tests.core.helpers.studio import read, save

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 60, 40


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The report of a red picture, made from a blue one; names and notes are hostile."""
    save(tmp_path / 'a "b" <i>.png', np.full((HEIGHT, WIDTH, 3), (0, 0, 255), np.uint8))
    save(tmp_path / "out.png", np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8))
    folder = tmp_path / "out.png.run"
    folder.mkdir()
    photo = report.link_to(tmp_path / 'a "b" <i>.png', str(folder))
    facts = {
        "status": "finished",
        "reason": "",
        "seconds": {"total": 1.0},
        "notes": ["<script>document.title = 'x'</script><img src=x onerror=document.title='x'>"],
        "objects": {},
    }
    (folder / "report.html").write_text(report.page(facts, [], "out.png", photo), "utf-8")
    opened = browser.new_page(viewport={"width": 800, "height": 600}, device_scale_factor=1)
    opened.goto((folder / "report.html").as_uri())
    yield opened
    opened.close()


def pixels(page: Page, tmp_path: Path) -> np.ndarray:
    """What the browser shows of the two pictures."""
    path = tmp_path / "shown.png"
    page.locator(".view").screenshot(path=path)
    return read(path)


def blue(samples: np.ndarray) -> float:
    """How much of the width shows the photo, which is to the left of the result."""
    row = samples[len(samples) // 2, :, 2] > 127
    assert not row[int(row.sum()) :].any()
    return float(row.mean())


def test_the_photo_is_shown_up_to_the_slider(page: Page, tmp_path: Path) -> None:
    box = page.locator(".both").bounding_box()
    assert box
    for value in (0, 25, 50, 100):
        page.locator("input").fill(str(value))
        shown = pixels(page, tmp_path)[:, :WIDTH]
        assert blue(shown) == pytest.approx(value / 100, abs=1.5 / WIDTH)


def test_the_slider_follows_the_pointer_and_the_keyboard(page: Page, tmp_path: Path) -> None:
    box = page.locator(".both").bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 15, box["y"] + 20)
    page.mouse.up()
    assert float(page.locator("input").input_value()) == pytest.approx(25, abs=2)
    assert blue(pixels(page, tmp_path)[:, :WIDTH]) == pytest.approx(0.25, abs=2 / WIDTH)
    page.locator("input").focus()
    page.keyboard.press("End")
    assert blue(pixels(page, tmp_path)[:, :WIDTH]) == 1


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_zoom_to_pixels(page: Page, factor: int) -> None:
    page.select_option("select", str(factor))
    for name in ("after", "before"):
        box = page.locator(f".{name}").bounding_box()
        assert box
        assert (box["width"], box["height"]) == (factor * WIDTH, factor * HEIGHT)


def test_what_a_note_says_is_no_script(page: Page) -> None:
    assert page.title() == "out.png"
    assert "onerror" in page.locator("body").inner_text()
    blocked = "() => { const s = document.createElement('script'); s.textContent = 'window.x = 1'; "
    blocked += "document.body.append(s); return window.x === undefined }"
    assert page.evaluate(blocked)


def test_a_photo_that_cannot_be_shown_leaves_the_result(page: Page, tmp_path: Path) -> None:
    (tmp_path / 'a "b" <i>.png').unlink()
    page.reload()
    page.wait_for_selector(".before", state="detached")
    assert "not where it was" in page.locator(".controls").inner_text()
    shown = pixels(page, tmp_path)[:HEIGHT, :WIDTH]
    np.testing.assert_array_equal(shown[2:-2, 2:-2, :3], np.full((36, 56, 3), (255, 0, 0)))
