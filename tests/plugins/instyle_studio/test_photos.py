"""Photos, styles and masks: byte for byte what was uploaded, and nothing that is no picture."""

from __future__ import annotations

import io
import itertools
import os
import struct
import threading
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.core.helpers.studio import BOX, HEIGHT, WIDTH, noise, rectangle
from tests.plugins.instyle_studio.conftest import Things
from tests.plugins.instyle_studio.serving import Server, png

RNG = np.random.default_rng(0)


def encoded(samples: np.ndarray, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, form, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that is all black, and large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pack = zlib.compressobj(9)
    rows = b"".join(pack.compress(bytes(width * 3 + 1)) for _ in range(min(height, 200)))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows + pack.flush()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_file_that_is_replaced_comes_whole(server: Server) -> None:
    """As the picture of a run that goes on is, again and again."""
    identity = server.upload("photos", png(noise()), "a.png")["id"]
    path = server.session / "photos" / identity / "file.png"
    versions = [path.read_bytes(), b"short"]
    over = threading.Event()

    def replace() -> None:
        for version in itertools.cycle(versions):
            path.with_name("new").write_bytes(version)
            os.replace(path.with_name("new"), path)
            if over.is_set():
                return

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        answers = [server.get(f"/api/photos/{identity}/file") for _ in range(100)]
    finally:
        over.set()
        thread.join()
    assert {answer.content for answer in answers} <= {*versions}


@pytest.mark.parametrize("kind", ["photos", "styles"])
@pytest.mark.parametrize(("form", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_an_upload_is_kept_byte_for_byte(server: Server, kind: str, form: str, suffix: str) -> None:
    data = encoded(noise(), form)
    about = server.upload(kind, data, "a.gif")  # the content tells what it is
    assert (about["name"], about["width"], about["height"]) == ("a.gif", WIDTH, HEIGHT)
    answer = server.get(f"/api/{kind}/{about['id']}/file")
    assert answer.content == data
    assert answer.headers["content-type"] == f"image/{form.lower()}"
    assert "immutable" in answer.headers["cache-control"]
    assert (server.session / kind / about["id"] / f"file.{suffix}").is_file()
    assert about in server.get(f"/api/{kind}").json()


def test_a_large_photo_is_shown_small_and_kept_whole(server: Server) -> None:
    ramp = np.linspace(0, 255, 1700).astype(np.uint8)
    data = encoded(np.broadcast_to(ramp[None, :, None], (800, 1700, 3)).copy(), "PNG")
    about = server.upload("styles", data)
    assert (about["width"], about["height"]) == (1700, 800)
    shown = decoded(server.get(f"/api/styles/{about['id']}").content)
    assert shown.shape == (753, 1600, 3)
    np.testing.assert_allclose(shown[300, :, 1], np.linspace(0, 255, 1600), atol=6)
    small = decoded(server.get(f"/api/styles/{about['id']}/thumbnail").content)
    assert small.shape == (151, 320, 3)
    assert server.get(f"/api/styles/{about['id']}/file").content == data


def test_an_orientation_is_applied(server: Server) -> None:
    samples = np.zeros((40, 80, 3), np.uint8)
    samples[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter: what is left in the file is at the top
    about = server.upload("photos", encoded(samples, "JPEG", exif=exif, quality=95))
    assert (about["width"], about["height"]) == (40, 80)
    shown = decoded(server.get(f"/api/photos/{about['id']}").content)
    assert shown.shape == (80, 40, 3)
    assert shown[10].mean() > 240
    assert shown[70].mean() < 15


@pytest.mark.parametrize("kind", ["photos", "styles"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0\nshowpage",
        png(noise())[:2000],
        png(noise())[:30],
        encoded(noise(), "GIF", save_all=True, append_images=[Image.fromarray(noise(seed=3))]),
    ],
    ids=["empty", "text", "svg", "postscript", "cut", "header", "animated"],
)
def test_what_is_no_picture_is_refused(server: Server, kind: str, data: bytes) -> None:
    before = {*(server.session / kind).iterdir()}
    answer = server.client.post(f"/api/{kind}", content=data, headers={"X-Name": "x.png"})
    error = server.refusal(answer, 415)
    assert error["where"] == "x.png"
    assert str(server.session) not in answer.text
    assert {*(server.session / kind).iterdir()} == before


@pytest.mark.parametrize("size", [(2001, 2000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    server: Server, size: tuple[int, int]
) -> None:
    width, height = size
    data = bomb(min(width, 60_000), height)
    data = data[:16] + struct.pack(">II", *size) + data[24:]
    data = data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]
    peak = peak_of(server)
    for path in ("/api/photos", "/api/styles"):
        server.refusal(server.client.post(path, content=data), 413, 415)
    assert peak_of(server) - peak < 100e6


def peak_of(server: Server) -> float:
    """The most memory that the server and its workers have had, in bytes, all together."""
    total = 0
    for process in server.pids:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return total * 1024


# --- masks ----------------------------------------------------------------------------------------


def test_a_mask_is_kept(server: Server, things: Things) -> None:
    mask = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    mask[:, :7] = 0
    mask[:5] = 0
    path = f"/api/masks?photo={things.photo}"
    about = server.ask("POST", path, 201, content=png(mask)).json()
    inside = mask >= 128
    assert about["area"] == pytest.approx(inside.mean(), abs=1e-4)
    rows, columns = np.nonzero(inside)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert about["box"] == [int(side) for side in expected]
    answer = server.get(f"/api/masks/{about['id']}")
    np.testing.assert_array_equal(decoded(answer.content), mask)
    assert decoded(answer.content).ndim == 2


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), "empty"),
        (rectangle(BOX).T.copy(), "on its side"),
    ],
)
def test_a_mask_that_cannot_be_used(
    server: Server, things: Things, samples: np.ndarray, what: str
) -> None:
    before = {*(server.session / "masks").iterdir()}
    path, headers = f"/api/masks?photo={things.photo}", {"X-Name": "own.png"}
    answer = server.client.post(path, content=png(samples), headers=headers)
    error = server.refusal(answer, 422)
    assert what in error["what"]
    assert error["where"] == "own.png"  # not where it lies on the disk of the server
    assert {*(server.session / "masks").iterdir()} == before


def test_a_mask_of_no_photo_or_that_is_no_picture(server: Server, things: Things) -> None:
    data = png(rectangle(BOX))
    server.refusal(server.client.post("/api/masks", content=data), 404)
    server.refusal(server.client.post(f"/api/masks?photo={things.mask}", content=data), 404)
    server.refusal(server.client.post(f"/api/masks?photo={things.photo}", content=b"x"), 415)


def test_a_cutout_is_the_photo_with_the_mask_as_its_alpha(server: Server, things: Things) -> None:
    answer = server.get(f"/api/masks/{things.mask}/cutout?photo={things.photo}")
    found = decoded(answer.content)
    np.testing.assert_array_equal(found[..., :3], noise())
    np.testing.assert_array_equal(found[..., 3], rectangle(BOX))
    assert "attachment" in answer.headers["content-disposition"]
    assert [*(server.session / "scratch").iterdir()] == []


def test_styles_of_a_folder_are_served_and_never_copied(server: Server) -> None:
    red = next(s for s in server.get("/api/styles").json() if s["name"] == "red.png")
    assert red["folder"]
    file = server.get(f"/api/styles/{red['id']}/file").content
    assert (decoded(file) == (250, 10, 20)).all()
    small = decoded(server.get(f"/api/styles/{red['id']}/thumbnail").content)
    np.testing.assert_allclose(small.reshape(-1, 3).mean(axis=0), (250, 10, 20), atol=3)
    assert not any(server.session.glob("styles/*/red.png"))


def test_the_demo_is_there_for_a_first_try(server: Server) -> None:
    once = server.ask("POST", "/api/demo", 201).json()
    again = server.ask("POST", "/api/demo", 201).json()
    assert once == again  # it is not put in twice
    assert once["photo"]["name"] == "cat.png"
    file = server.get(f"/api/photos/{once['photo']['id']}/file").content
    assert file == (files("instyle_core") / "demo" / "cat.png").read_bytes()
    assert once["style"] in server.get("/api/styles").json()
