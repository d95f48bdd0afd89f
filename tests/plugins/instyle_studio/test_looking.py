"""Objects and rankings: the same as the command line finds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.core.helpers.commands import Command
from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, noise, rectangle, save
from tests.plugins.instyle_studio.conftest import Things
from tests.plugins.instyle_studio.serving import Server, png

#: A disk that stands out, for networks.
DISK = (np.hypot(*np.mgrid[-60:60, -80:80]) < 35)[..., None]
SCENE = np.where(DISK, (220, 40, 30), noise(120, 160) // 8 + 100).astype(np.uint8)


@pytest.fixture(scope="module")
def scene(server: Server) -> str:
    return server.upload("photos", png(SCENE))["id"]


def segment(server: Server, photo: str, status: int = 200, **asked: Any) -> Any:
    return server.post("/api/segment", {"photo": photo, **asked}, status)


def mask(server: Server, identity: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(server.get(f"/api/masks/{identity}").content)))


@pytest.mark.parametrize(
    ("select", "options"),
    [
        ({"points": [[80, 60]]}, ["--point", "80,60"]),
        (
            {"points": [[80, 60], [90, 60]], "not": [[5, 5]]},
            ["--point", "80,60", "--point", "90,60", "--not", "5,5"],
        ),
        ({"box": [40, 20, 120, 100]}, ["--box", "40,20,120,100"]),
    ],
)
def test_an_object_is_the_one_that_the_command_line_finds(
    server: Server,
    scene: str,
    instyle: Command,
    tmp_path: Path,
    select: dict[str, Any],
    options: list[str],
) -> None:
    found = segment(server, scene, select=select)
    photo = save(tmp_path / "scene.png", SCENE)
    done = instyle("segment", photo, *options, "--mask", tmp_path / "mask.png", "--json")
    assert json.loads(done.out)["objects"] == found["objects"]
    expected = (tmp_path / "mask.png").read_bytes()
    assert server.get(f"/api/masks/{found['mask']}").content == expected
    inside = np.asarray(Image.open(tmp_path / "mask.png")) >= 128
    assert found["area"] == pytest.approx(inside.mean(), abs=1e-4)


def test_another_segmenter_and_refiner(server: Server, things: Things) -> None:
    use = {"use": "mask", "path": f"mask:{things.mask}"}
    found = segment(server, things.photo, segmenter=use, refine="none")
    np.testing.assert_array_equal(mask(server, found["mask"]), rectangle(BOX))
    moved = segment(server, things.photo, segmenter=use, refine={"use": "shift", "pixels": 3})
    x0, y0, x1, y1 = moved["box"]
    assert found["box"] == [*BOX]
    assert [x0 - BOX[0], x1 - BOX[2], y0, y1] == [3, 3, BOX[1], BOX[3]]


def test_everything_that_is_found_has_a_mask(server: Server, things: Things) -> None:
    boxes = [(5, 5, 25, 20), (35, 25, 50, 40)]
    samples = np.max([rectangle(box) for box in boxes], axis=0)
    path = server.session.parent / "two.png"
    save(path, samples)
    uploaded = server.ask("POST", f"/api/masks?photo={things.photo}", 201, content=png(samples))
    use = {"use": "stencil", "path": f"mask:{uploaded.json()['id']}"}
    found = segment(server, things.photo, segmenter=use, all=True)
    assert found["mask"] is None
    assert [item["box"] for item in found["objects"]] == [[*boxes[0]], [*boxes[1]]]
    for item, box in zip(found["objects"], boxes, strict=True):
        np.testing.assert_array_equal(mask(server, item["mask"]) >= 128, rectangle(box) > 0)


def test_a_photo_with_nothing_in_it(server: Server) -> None:
    photo = server.upload("photos", png(np.full((64, 64, 3), 128, np.uint8)))["id"]
    assert segment(server, photo, all=True)["objects"] == []
    error = segment(server, photo, 422, select={"class": "cat"})["error"]
    assert "no cat" in error["what"]


@pytest.mark.parametrize(
    ("asked", "where", "what"),
    [
        ({"select": {"points": [[WIDTH, 0]]}}, None, "outside of the picture"),
        ({"select": {"points": [[1]]}}, "select.points.0", "[x, y]"),
        ({"select": {"box": [5, 5, 5, 9]}}, "select.box", "x0 < x1"),
        ({"select": {"klass": "cat"}}, "select.klass", "'class'"),
        ({"select": {"class": "unicorn"}}, "select.class", "unicorn"),
        ({"segmenter": "click"}, "select", "told where"),
        ({"segmenter": "clik"}, "segmenter.use", "'click'"),
        ({"segmenter": {"use": "click", "sise": 3}}, "segmenter.sise", "'size'"),
        ({"refine": "gided"}, "refiner.use", "'guided'"),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_command_line(
    server: Server, things: Things, asked: dict[str, Any], where: str | None, what: str
) -> None:
    error = segment(server, things.photo, 422, **asked)["error"]
    told = [error, *error.get("problems", [])]
    assert any(what in f"{e['what']} {e['hint']}" for e in told), told
    assert where in [e["where"] for e in told] or where is None


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "~/.ssh/id_rsa"])
@pytest.mark.parametrize("key", ["segmenter", "refine"])
def test_a_plugin_may_not_read_what_the_studio_may_not(
    server: Server, things: Things, path: str, key: str
) -> None:
    use = {"use": "mask", "path": path}
    error = segment(server, things.photo, 422, **{key: use})["error"]
    assert "may not read" in error["what"]
    body = {"photo": things.photo, "ranker": {"use": "near", "path": path}}
    assert "may not read" in server.post("/api/rank", body, 422)["error"]["what"]


def test_styles_are_ranked_as_by_the_command_line(
    server: Server, things: Things, instyle: Command, tmp_path: Path
) -> None:
    ranked = server.post("/api/rank", {"photo": things.photo, "mask": things.mask})
    styles = {style["id"]: style for style in server.get("/api/styles").json()}
    assert {row["style"] for row in ranked} == {*styles}
    scores = [row["score"] for row in ranked]
    assert scores == sorted(scores)
    folder = tmp_path / "styles"
    folder.mkdir()
    for identity in styles:
        data = server.get(f"/api/styles/{identity}/file").content
        (folder / f"{identity}.png").write_bytes(data)
    photo = save(tmp_path / "photo.png", noise())
    save(tmp_path / "mask.png", rectangle(BOX))
    use = json.dumps({"use": "mask", "path": str(tmp_path / "mask.png")})
    done = instyle("style", "rank", photo, folder, "--segmenter", use, "--json")
    expected = {Path(r["picture"]).stem: r["score"] for r in json.loads(done.out)["ranking"]}
    for row in ranked:
        assert row["score"] == pytest.approx(expected[row["style"]], rel=1e-3)
    # What is new is rated; the rest is known already.
    new = server.upload("styles", png(noise(30, 31, seed=77)))["id"]
    again = server.post("/api/rank", {"photo": things.photo, "mask": things.mask})
    assert [row for row in again if row["style"] != new] == ranked


def test_a_photo_is_no_style_of_its_own(server: Server, things: Things) -> None:
    assert HEIGHT == 44
    body = {"photo": things.style, "mask": None}
    server.refusal(server.client.post("/api/rank", json=body), 404)
    server.refusal(
        server.client.post("/api/rank", json={"photo": things.photo, "mask": things.style}), 404
    )
