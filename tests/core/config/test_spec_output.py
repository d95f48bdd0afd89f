"""The output of a spec: where it can be written, and that no input is ever overwritten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.core.helpers.specs import load, problems

INPUTS = {
    "content": "photo.jpg",
    "style": "painting.jpg",
    "start": "start.jpg",
    "the segmenter's mask": "mask.png",
}


@pytest.fixture
def busy(folder: Path) -> Path:
    """A folder with a file for each input of `BUSY`."""
    for name in INPUTS.values():
        (folder / name).touch()
    return folder


BUSY = """\
version: 1
content: photo.jpg
style: painting.jpg
start: start.jpg
objects:
  - segmenter: {use: mask, path: mask.png}
"""


def refused(folder: Path, output: str) -> str:
    (problem,) = problems(folder, f"{BUSY}output: {output}\n")
    return problem


@pytest.mark.parametrize("source", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("way", ["itself", "folder", "symlink", "hard link"])
def test_the_output_is_no_input(busy: Path, source: str, way: str) -> None:
    output = Path("other" + Path(source).suffix)
    (busy / output).unlink(missing_ok=True)
    if way == "itself":
        output = Path(source)
    elif way == "folder":
        (busy / "link").symlink_to(busy)
        output = Path("link", source)
    elif way == "symlink":
        (busy / output).symlink_to(source)
    else:
        os.link(busy / source, busy / output)
    said = "7: output: the spec reads this picture, so choose another name: "
    assert refused(busy, str(output)) == f"{said}{busy / source}"


def test_the_output_may_be_there_already(busy: Path) -> None:
    assert load(busy, f"{BUSY}output: other.jpg\n").spec.output == busy / "other.jpg"


def test_the_output_may_be_written_through_a_link(busy: Path) -> None:
    (busy / "real").mkdir()
    (busy / "out.png").symlink_to("real/result.png")
    made = load(busy, f"{BUSY}output: out.png\n")
    assert made.spec.output == busy / "real" / "result.png"
    assert made.folder == busy / "real" / "result.png.run"


@pytest.mark.parametrize("inside", ["", "object-0"])
def test_the_folder_of_the_run_holds_no_input(busy: Path, inside: str) -> None:
    kept = busy / "out.png.run" / inside
    kept.mkdir(parents=True)
    (busy / "start.jpg").rename(kept / "start.jpg")
    (busy / "start.jpg").symlink_to(kept / "start.jpg")
    problem = refused(busy, "out.png")
    assert problem.startswith(
        f"7: output: the run would replace the folder {busy}/out.png.run, and "
    )
    assert "reads start.jpg from it" in problem
    assert load(busy, f"{BUSY}output: out2.png\n").folder == busy / "out2.png.run"


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("out.bmp", "'.bmp' names no picture format that can be written; use one of .png .jpg"),
        ("out", "a name without a suffix names no picture format that can be written; use one"),
        ("missing/out.png", "there is no folder {folder}/missing; create it, or choose another"),
        ("folder.png", "this is a folder, not a file; name a file in it"),
        (
            "photo.jpg/out.png",
            "there is no folder {folder}/photo.jpg; create it, or choose another",
        ),
    ],
)
def test_outputs_that_cannot_be_written(busy: Path, output: str, what: str) -> None:
    (busy / "folder.png").mkdir()
    problem = refused(busy, output)
    assert problem.startswith(f"7: output: {what}".replace("{folder}", str(busy)))
