"""The photo is kept bit for bit, and files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core import pipeline
from instyle_core.errors import InputError, InstyleError, RescuedRun, SpecError
from tests.core.helpers.repainted import BLUE, RED, WELL, tint
from tests.core.helpers.studio import (
    BOX,
    HEIGHT,
    WIDTH,
    Studio,
    listing,
    noise,
    read,
    rectangle,
    save,
)

# --- the photo is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "alpha", "16 bits with alpha", "gray"])
def test_what_is_not_repainted_is_the_photo_bit_for_bit(
    studio: Studio, kind: str, size: int
) -> None:
    height, width = 131, 83  # a crop that is worked at a smaller size
    photo = noise(height, width, depth=16 if "16" in kind else 8)
    if kind == "gray":
        photo = photo[..., 0]
    if "alpha" in kind:
        photo = np.concatenate(
            [photo, noise(height, width, seed=5).astype(photo.dtype)[..., :1]], 2
        )
    save(studio.folder / "photo.png", photo)
    mask = rectangle((3, 20, 70, 110), height, width)
    save(studio.folder / "mask.png", mask)
    studio.run(size=size)
    output = studio.output
    assert output.dtype == photo.dtype
    expected = np.repeat(photo[..., None], 3, axis=2) if kind == "gray" else photo
    assert output.shape == expected.shape
    np.testing.assert_array_equal(output[mask == 0], expected[mask == 0])
    assert (output[mask > 0][:, :3] != expected[mask > 0][:, :3]).mean() > 0.9
    if "alpha" in kind:
        np.testing.assert_array_equal(output[..., 3], photo[..., 3])


def test_the_colors_of_the_object_come_back_at_full_resolution(studio: Studio) -> None:
    # Red on the left, blue on the right, optimized at a quarter of the resolution with no force to
    # change it: what comes back has the photo's size, and its colors in their places.
    height, width = 160, 256
    photo = np.zeros((height, width, 3), np.uint8)
    photo[:, :128] = RED
    photo[:, 128:] = BLUE
    save(studio.folder / "photo.png", photo)
    studio.run(objects=None, losses=[{"use": "fault", "at": 99}], size=64)
    assert studio.output.shape == photo.shape
    far = np.abs(np.arange(width) - 127.5) > 12
    np.testing.assert_array_equal(studio.output[:, far], photo[:, far])


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg", "out.webp", "out.tif", "out.PNG"])
def test_output_formats(studio: Studio, name: str) -> None:
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), (10, 200, 90), np.uint8))
    result = studio.run(output=name, optimizer=WELL, losses=[tint(BLUE)])
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".png": "PNG"}
    with Image.open(studio.folder / name) as image:
        assert image.format == kind[Path(name).suffix.lower()]
        pixels = np.asarray(image.convert("RGB")).astype(int)
    x0, y0, x1, y1 = BOX
    assert np.abs(pixels[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4] - BLUE).max() < 12
    assert np.abs(pixels[:6] - (10, 200, 90)).max() < 12
    assert result.folder == studio.folder / f"{name}.run"


def test_names_with_spaces_and_letters_of_all_kinds(studio: Studio) -> None:
    folder = studio.folder / "Gemälde & más"
    folder.mkdir()
    for name in ("photo.png", "style.png", "mask.png"):
        (studio.folder / name).rename(folder / f"Öl 画 {name}")
    result = studio.run(
        content="Gemälde & más/Öl 画 photo.png",
        style="Gemälde & más/Öl 画 style.png",
        segmenter={"use": "stencil", "path": "Gemälde & más/Öl 画 mask.png"},
        output="Gemälde & más/fertig ✓ #1 100%.png",
    )
    assert result.output == folder / "fertig ✓ #1 100%.png"
    assert read(result.output).shape == (HEIGHT, WIDTH, 3)
    assert (folder / "fertig ✓ #1 100%.png.run" / "run.json").is_file()


# --- whole or not at all --------------------------------------------------------------------------


def break_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on, no file of that name can get its place."""
    original = os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).name == name:
            raise OSError(28, "No space left on device")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)


#: What is different about a run that fails: the spec, or a file that the disk has no room for.
FAILURES: dict[str, dict[str, Any] | str] = {
    "loss": {"losses": [{"use": "fault", "kind": "raise", "at": 3}]},
    "first step": {"losses": [{"use": "fault", "kind": "nan", "at": 1}]},
    "interrupt": {"losses": [{"use": "fault", "kind": "interrupt", "at": 1}]},
    "merger": {"merger": {"use": "clumsy"}},
    "picture": "out.png",
    "record": "run.json",
    "losses": "losses.csv",
    "report": "report.html",
    "mask": "mask.png",
    "crop": "stylized.png",
}


@pytest.mark.parametrize("earlier", [True, False], ids=["earlier run", "no earlier run"])
@pytest.mark.parametrize("what", list(FAILURES))
def test_a_failure_leaves_everything_as_it_was(
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    what: str,
    earlier: bool,
) -> None:
    if earlier:
        studio.run(snapshots=2)
    before = listing(studio.folder)
    folders = {path for path in studio.folder.rglob("*") if path.is_dir()}
    failure = FAILURES[what]
    changes: dict[str, Any] = {"snapshots": 2, "losses": [tint(BLUE)]}
    if isinstance(failure, str):
        break_disk(monkeypatch, failure)
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    else:
        changes |= failure
    with pytest.raises((InstyleError, RuntimeError)) as caught:
        studio.run(**changes)
    if isinstance(caught.value, RescuedRun):
        assert caught.value.saved.is_relative_to(Path.cwd())
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before
    assert {path for path in studio.folder.rglob("*") if path.is_dir()} == folders


def test_a_second_run_takes_the_place_of_the_first(studio: Studio) -> None:
    studio.run(snapshots=2)
    assert (studio.folder / "out.png.run" / "object-0" / "snapshots").is_dir()
    studio.run(losses=[tint(BLUE)])
    assert not (studio.folder / "out.png.run" / "object-0" / "snapshots").exists()
    names = {path.name for path in studio.folder.iterdir()}
    assert names == {"photo.png", "style.png", "mask.png", "spec.yaml", "out.png", "out.png.run"}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_an_earlier_run_is_not_replaced(studio: Studio, kind: str) -> None:
    target = studio.folder / "out.png.run"
    if kind == "folder":
        target.mkdir()
        (target / "diary.txt").write_text("dear diary")
    else:
        target.write_text("dear diary")
    before = listing(studio.folder)
    with pytest.raises(InputError) as caught:
        studio.run()
    assert caught.value.where == str(target)
    assert caught.value.hint
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before


@pytest.mark.parametrize("name", ["photo.png", "style.png", "mask.png", "link.png", "hard.png"])
def test_an_input_is_never_written(studio: Studio, name: str) -> None:
    (studio.folder / "link.png").symlink_to("photo.png")
    os.link(studio.folder / "style.png", studio.folder / "hard.png")
    before = listing(studio.folder)
    with pytest.raises(SpecError, match="the spec reads"):
        studio.run(output=name)
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before


def test_a_folder_that_is_read_only(studio: Studio) -> None:
    locked = studio.folder / "locked"
    locked.mkdir()
    plan = studio.plan(output="locked/out.png")
    locked.chmod(0o500)
    try:
        if os.access(locked, os.W_OK):  # the superuser may write anywhere
            locked.rmdir()
        with pytest.raises(InstyleError) as caught:
            pipeline.run(plan)
    finally:
        if locked.exists():
            locked.chmod(0o700)
    assert caught.value.exit_status == 2
    assert "locked" in str(caught.value)
