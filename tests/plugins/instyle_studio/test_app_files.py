"""Files that go into the page and come out of it: dropped, pasted, uploaded, downloaded."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.core.helpers.studio import noise, rectangle, save
from tests.plugins.instyle_studio.paging import (
    CAT,
    HEIGHT,
    WALL,
    WIDTH,
    Visit,
    decoded,
    mask,
    visit,
)
from tests.plugins.instyle_studio.serving import Server, png

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("emptied")]

BOX = (40, 30, 120, 100)


def photos(server: Server) -> list[str]:
    return [photo["name"] for photo in server.get("/api/photos").json()]


def test_a_photo_is_dropped_and_another_is_pasted(
    browser: Browser, server: Server, photo: Path
) -> None:
    with visit(browser, server, "desk") as one:
        one.drop("#view", photo)
        expect(one.page.locator("#photo-name")).to_have_text("cat.png")
        expect(one.page.locator(".tag")).to_have_text("cat")
        (identity,) = (about["id"] for about in server.get("/api/photos").json())
        assert server.get(f"/api/photos/{identity}/file").content == photo.read_bytes()

        samples = noise(50, 70)
        one.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        one.page.evaluate(
            """async (data) => {
              const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
              const blob = new Blob([bytes], { type: "image/png" });
              await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
            }""",
            base64.b64encode(png(samples)).decode(),
        )
        one.page.keyboard.press("Control+V")
        expect(one.page.locator("#photo-name")).to_have_text("image.png")
        pasted = next(p for p in server.get("/api/photos").json() if p["name"] == "image.png")
        data = server.get(f"/api/photos/{pasted['id']}/file").content
        np.testing.assert_array_equal(decoded(data)[..., 2::-1], samples)
        one.object_is()


def test_styles_are_dropped(browser: Browser, server: Server, tmp_path: Path) -> None:
    new = [save(tmp_path / f"new-{n}.png", noise(30, 30 + n, seed=n)) for n in range(2)]
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with visit(browser, server, "desk") as one:
        tiles = one.page.locator("#styles label")
        expect(tiles).to_have_count(2)
        one.drop("#step-style", *new)
        expect(tiles).to_have_count(4)
        expect(one.page.locator("#style-hint")).to_have_text("new-1.png")
        assert photos(server) == []
        uploaded = [style for style in server.get("/api/styles").json() if "folder" not in style]
        assert {style["name"] for style in uploaded} == {"new-0.png", "new-1.png"}
        one.drop("#step-style", text)
        expect(one.page.locator("#style-error")).to_contain_text("text.png")
        one.faults.clear()  # a browser also lists answers that are errors in its console


def test_each_object_has_a_style_of_its_own(browser: Browser, server: Server, photo: Path) -> None:
    with visit(browser, server, "desk") as one:
        page = one.page
        chosen = page.locator("#styles label:has(:checked)")
        one.choose("#choose-photo", photo)
        one.press(".tag")
        one.object_is("cat")
        one.press(".tile[title='red.png']")
        one.press("#another")
        one.press_picture(WALL)
        one.object_is("cat", "object 2")
        one.press(".tile[title='noise.png']")
        one.press("#objects .object >> nth=0")
        expect(chosen).to_have_attribute("title", "red.png")
        one.press("#objects .object >> nth=1")
        expect(chosen).to_have_attribute("title", "noise.png")
        first, second = one.spec()["objects"]
        assert first["select"] == {"class": "cat", "instance": 0}
        assert second["select"] == {"points": [[*WALL]]}
        assert [named(each) for each in (first, second)] == ["red.png", "noise.png"]

        small(one)
        one.press("#paint")
        expect(page.locator("#caption-right")).to_have_text("painted")
        one.wait_for_end()
        (run,) = (run for run in server.get("/api/runs").json() if not run["preview"])
        masks = [server.get(f"/api/runs/{run['id']}/mask?object={n}").content for n in range(2)]
        cat, wall = (decoded(data) >= 128 for data in masks)
        assert cat[CAT[1], CAT[0]]
        assert wall[WALL[1], WALL[0]]
        assert not (cat & wall).any()

        one.press("#tab-object")
        one.press("#objects [aria-label='Remove cat']")
        one.object_is("object 1")
        assert [named(each) for each in one.spec()["objects"]] == ["noise.png"]


def named(entry: dict) -> str:
    """The name of the style of an object."""
    style = entry["style"]
    return style if isinstance(style, str) else style["images"][0]


def small(one: Visit) -> None:
    """Painting takes no time."""
    one.press("#all-settings")
    for key, number in (("size", 64), ("steps", 3)):
        one.page.locator(f"#settings-form [data-key={key}] input").first.fill(str(number))
    one.press("#close-settings")


def test_a_mask_is_uploaded_and_downloaded(
    browser: Browser, server: Server, photo: Path, tmp_path: Path
) -> None:
    own = save(tmp_path / "own.png", rectangle(BOX, HEIGHT, WIDTH))
    on_its_side = save(tmp_path / "side.png", rectangle(BOX, WIDTH, HEIGHT))
    with visit(browser, server, "desk") as one:
        one.choose("#choose-photo", photo)
        expect(one.page.locator(".tag")).to_be_visible()
        one.press("#mask-menu summary")
        one.choose("#upload-mask", own)
        one.object_is("object 1")
        expect(one.page.locator("#upload-mask")).to_be_hidden()  # the menu is in nobody's way
        one.press("#mask-menu summary")
        data = one.download("#download-mask")
        np.testing.assert_array_equal(decoded(data), rectangle(BOX, HEIGHT, WIDTH))
        one.press("#mask-menu summary")
        cut = decoded(one.download("#download-object"))
        np.testing.assert_array_equal(cut[..., 3], rectangle(BOX, HEIGHT, WIDTH))
        assert one.spec()["objects"][0]["segmenter"]["use"] == "mask"

        one.press("#mask-menu summary")
        one.choose("#upload-mask", on_its_side)
        expect(one.page.locator("#object-error")).to_contain_text("side.png")
        np.testing.assert_array_equal(mask(one, server), rectangle(BOX, HEIGHT, WIDTH))
        one.press("#undo")
        one.object_is()
        one.faults.clear()  # a browser also lists answers that are errors in its console
