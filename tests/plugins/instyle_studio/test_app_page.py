"""The whole way on the page: photo, click, correction, style, preview, run, compare, download."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from playwright.sync_api import Browser, Route, expect

from tests.core.helpers.commands import Command
from tests.plugins.instyle_studio.conftest import things_on
from tests.plugins.instyle_studio.paging import (
    CAT,
    HEIGHT,
    SCREENS,
    WALL,
    WIDTH,
    Visit,
    decoded,
    mask,
    value,
    visit,
)
from tests.plugins.instyle_studio.serving import ENDLESS, Server

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("emptied")]

#: A pixel (x, y) of the photo that is the cat's as well, and is taken away.
SIDE = (45, 75)


def small(one: Visit) -> None:
    """Set size and steps in the form of all settings, so that painting takes no time."""
    one.press("#all-settings")
    for key, number in (("size", 64), ("steps", 3)):
        one.page.locator(f"#settings-form [data-key={key}] input").first.fill(str(number))
    one.is_accessible()
    one.press("#close-settings")


@pytest.mark.parametrize("screen", SCREENS)
def test_the_whole_way(
    browser: Browser,
    server: Server,
    photo: Path,
    screen: str,
    instyle: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a desk, the cat is painted as it is found; on a phone, with a stroke of the brush."""
    monkeypatch.chdir(tmp_path)
    with visit(browser, server, screen) as one:
        page = one.page
        expect(page.locator("#welcome")).to_be_visible()
        one.is_accessible()

        one.choose("#choose-photo", photo)
        expect(page.locator(".tag", has_text="cat")).to_be_visible()
        one.press_picture(CAT)
        one.object_is("cat")
        assert value(mask(one, server), CAT) == 255
        correct(one, server)
        if one.touch:
            one.press("#redo")
            one.object_is("cat")

        expect(page.locator(".best")).to_be_visible()
        one.press(".tile:has(input) >> nth=1")
        one.is_accessible()
        small(one)
        one.press("#preview")
        expect(page.locator("#caption-right")).to_have_text("preview")
        one.wait_for_end()
        one.press("#paint")
        expect(page.locator("#caption-right")).to_have_text("painted")
        one.wait_for_end()
        expect(page.locator("#runs li")).to_have_count(1)  # its previews make room for the picture

        compare(one)
        keep(one, instyle)
        another(one)


def correct(one: Visit, server: Server) -> None:
    """Take a part away by a click, undo that; add a corner with the brush, and undo that, too."""
    if one.touch:
        one.press("#tool label >> nth=1")
    one.press_picture(SIDE, away=True)
    one.object_is("object 1")
    select = one.spec()["objects"][0]["select"]
    assert len(select["points"]) == len(select["not"]) == 1
    assert np.abs(np.subtract(select["points"][0], CAT)).max() <= 1
    assert np.abs(np.subtract(select["not"][0], SIDE)).max() <= 1
    one.press("#undo")
    one.object_is("cat")
    before = mask(one, server)
    assert value(before, WALL) == 0
    one.press("#tool label >> nth=3")
    one.press_picture(WALL)
    expect(one.page.locator("#redo")).to_be_disabled()
    after = mask(one, server)
    assert value(after, WALL) == 255
    changed = np.argwhere(before != after)
    assert np.abs(changed - WALL[::-1]).max() <= 3  # the brush's circle, and nothing else
    one.press("#undo")
    assert "segmenter" not in one.spec()["objects"][0]


def compare(one: Visit) -> None:
    """Move the slider, look at both side by side, at single pixels, at the seam and the mask."""
    page = one.page
    page.locator("#split-at").focus()
    at = []
    for key in ("Home", "End"):
        page.keyboard.press(key)
        one.wait_until_drawn()
        box = page.locator("#handle").bounding_box()
        assert box
        at.append(box["x"])
    _, _, width, _ = one.photo_on_canvas()
    assert at[1] - at[0] == pytest.approx(width, abs=2)
    one.press("#compare-view label >> nth=1")
    expect(page.locator("#split")).to_be_hidden()
    for button in ("#show-seam", "#show-mask"):
        one.press(button)
        expect(page.locator(button)).to_have_attribute("aria-pressed", "true")
    page.locator("#canvas").focus()
    page.keyboard.press("1")
    expect(page.locator("#zoom-value")).to_have_text("100 %")
    page.keyboard.press("0")
    one.press("#compare-view label >> nth=0")
    one.is_accessible()


def keep(one: Visit, instyle: Command) -> None:
    """The spec that is downloaded, run on the command line, gives the same bytes."""
    picture = one.download("#keep-picture")
    assert decoded(picture).shape == (HEIGHT, WIDTH, 3)
    cut = decoded(one.download("#keep-cutout"))[..., 3]
    assert value(cut, CAT) == 255
    assert value(cut, WALL) == (255 if one.touch else 0)
    spec = yaml.safe_load(one.download("#keep-spec"))
    with zipfile.ZipFile(io.BytesIO(one.download("#keep-bundle"))) as bundle:
        bundle.extractall("bundle")
    assert yaml.safe_load(Path("bundle/spec.yaml").read_text()) == spec
    assert instyle("pipeline", "run", "bundle/spec.yaml").status == 0
    assert Path("bundle", spec["output"]).read_bytes() == picture


def another(one: Visit) -> None:
    """Go on from the result with another strength, and compare the two pictures."""
    page = one.page
    expect(page.locator("#go-on")).to_be_hidden()
    page.locator("#strength").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#go-on")).to_have_text("Go on with changes")
    one.press("#go-on")
    expect(page.locator("#runs li")).to_have_count(2)
    one.wait_for_end()
    expect(page.locator("#against option")).to_have_text(["the photo", "picture 1"])
    page.locator("#against").select_option(index=1)
    expect(page.locator("#caption-left")).to_have_text("picture 1")


def test_four_clicks_paint_and_leaving_stops_nothing(
    browser: Browser, server: Server, photo: Path
) -> None:
    with visit(browser, server, "desk") as one:
        one.choose("#choose-photo", photo)
        expect(one.page.locator(".tag")).to_be_visible()
        one.press_picture(CAT)
        one.object_is("cat")
        one.press(".tile:has(input) >> nth=0")
        one.press("#paint")
        expect(one.page.locator("#runs li")).to_have_count(2)
        assert one.clicks == 4
    runs = server.get("/api/runs").json()
    assert [run["preview"] for run in runs] == [True, False]
    with visit(browser, server, "desk") as one:
        expect(one.page.locator("#stop")).to_be_visible()
        one.object_is("cat")
        one.press("#stop")
        expect(one.page.locator("#stop")).to_be_hidden()
        left = server.get("/api/runs").json()
        assert {run["state"] for run in left} <= {"interrupted", "finished"}


def test_a_photo_that_is_on_its_way_is_told(browser: Browser, server: Server, photo: Path) -> None:
    with visit(browser, server, "desk") as one:
        hint = one.page.locator("#object-hint")
        expect(hint).to_have_text("First open a photo.")
        one.choose("#choose-photo", photo)
        expect(one.page.locator(".tag")).to_be_visible()
        held: list[Route] = []
        one.page.route("**/api/photos/*", lambda route: held.append(route))
        one.page.reload()
        expect(hint).to_have_text("The photo is being opened.")
        for route in held:
            route.continue_()
        expect(hint).to_contain_text("Click an")


def test_stop_and_go_on(browser: Browser, server: Server) -> None:
    things = things_on(server)
    run = server.run(things.spec(**ENDLESS))
    with visit(browser, server, "desk") as one:
        expect(one.page.locator("#curves figcaption").first).to_have_text("tint")
        one.press("#stop")
        expect(one.page.locator("#go-on")).to_have_text("Go on")
        steps = [event["step"] for event in server.told(run) if event["type"] == "step"]
        one.press("#go-on")
        expect(one.page.locator("#stop")).to_be_visible()
        server.wait(run, "running")
        expect(one.page.locator("#time-left")).to_contain_text(" of ")
        one.press("#stop")
        expect(one.page.locator("#go-on")).to_be_visible()
        server.wait(run, "interrupted")
        more = [event["step"] for event in server.told(run) if event["type"] == "step"]
        assert more[: len(steps)] == steps
        assert more[-1] > steps[-1]


def test_keys_do_everything(browser: Browser, server: Server) -> None:
    with visit(browser, server, "desk") as one:
        page, keys = one.page, one.page.keyboard
        page.locator("#use-demo").press("Enter")
        expect(page.locator(".tag")).to_have_text("cat")
        page.locator("#canvas").focus()
        keys.press("ArrowDown")
        keys.press("Enter")
        one.object_is("cat")
        keys.press("x")
        keys.press("Enter")
        for _ in range(20):
            keys.press("ArrowRight")
            keys.press("ArrowDown")
        keys.press("Enter")
        one.object_is("object 1")
        x0, y0, x1, y1 = one.spec()["objects"][0]["select"]["box"]
        assert x1 - x0 > 60
        assert y1 - y0 > 60
        page.locator("#canvas").focus()
        keys.press("z")
        one.object_is("cat")
        keys.press("Shift+Z")
        one.object_is("object 1")
        keys.press("Escape")
        expect(page.locator("#clear")).to_be_disabled()
        page.locator("#styles input").first.focus()
        keys.press("Space")
        expect(page.locator("#styles :checked")).to_have_count(1)


def test_errors_are_shown_where_they_belong(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with visit(browser, server, "desk") as one:
        one.choose("#choose-photo", text)
        expect(one.page.locator("#toast")).to_contain_text("text.png")
        one.press("#use-demo")
        expect(one.page.locator(".tag")).to_be_visible()
        one.press("#paint")
        expect(one.page.locator("#style-error")).to_contain_text("choose a style")
        one.press("#all-settings")
        one.press("#as-text")
        expect(one.page.locator("#yaml")).not_to_have_value("")
        one.page.locator("#yaml").fill("version: 1\ncontent: /etc/passwd\nsize: 3\n")
        one.press("#apply-text")
        expect(one.page.locator("#settings-errors")).to_contain_text("size")
        one.faults.clear()  # a browser also lists answers that are errors in its console
