"""What keeps a plan from being carried out is told before any work, all at once, with its line."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from instyle_core.config.plan import load_plan
from instyle_core.errors import InputError, SpecError
from instyle_core.pipeline import run
from instyle_core.validation import check, problems
from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.imports import HEAVY, command, imported_by
from tests.core.helpers.studio import HEIGHT, TOY, WIDTH, Studio, listing, noise, save


def told(studio: Studio, **changes: Any) -> list[str]:
    """What is wrong, each without the folder's name; running the plan says the same."""
    plan = studio.plan(**changes)
    found = problems(plan)
    if found:
        before = listing(studio.folder)
        with pytest.raises(InputError) as caught:
            run(plan)
        same = caught.value.problems if isinstance(caught.value, SpecError) else [caught.value]
        assert [str(problem) for problem in same] == [str(problem) for problem in found]
        assert listing(studio.folder) == before
    return [str(problem).replace(f"{studio.folder}/", "") for problem in found]


def line_of(studio: Studio, text: str) -> int:
    lines = (studio.folder / "spec.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_nothing_is_wrong(studio: Studio) -> None:
    assert told(studio) == []
    assert told(studio, objects=None, segmenter=None) == []
    check(studio.plan())


# --- what plugins tell ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segmenter", "select", "what"),
    [
        ("fcn8s", {"class": "catt"}, "does not know the class 'catt' (did you mean 'cat'?)"),
        ("fcn8s", {"class": "zebu"}, "(it knows cat, cow, dog, horse, person, sheep)"),
        ("fcn8s", {"class": "background"}, "does not know the class 'background'"),
        ("grabcut", {"class": "cat", "box": [1, 1, 9, 9]}, "(it knows object)"),
        ("torchvision", {"class": "sofas"}, "(did you mean 'sofa'?)"),
        ({"use": "torchvision", "model": "maskrcnn_resnet50_fpn"}, {"class": "N/A"}, "'N/A'"),
        ("grabcut", {}, "the segmenter 'grabcut' needs to be told where the object is (add"),
        ("snake", {"class": "object"}, "with `box: [x0, y0, x1, y1]` or `point: [x, y]`)"),
        ("region", {"instance": "all"}, "the segmenter 'region' needs to be told where"),
        ("region", {"not": [[1, 1]]}, "the segmenter 'region' needs to be told where"),
        ("fcn8s", {"class": ["cat", "catt"]}, "does not know the class 'catt' (did you mean"),
        ("fcn8s", {"text": "a cat"}, "'fcn8s' does not find objects by words (name one that does"),
        ("grabcut", {"text": "a cat"}, "such as `segmenter: {use: text}`)"),
        ("text", {"point": [5, 5]}, "(add `select:` with `text: a red kite`)"),
    ],
)
def test_what_a_segmenter_needs_and_finds(
    studio: Studio, segmenter: Any, select: dict[str, Any], what: str
) -> None:
    (problem,) = told(studio, segmenter=segmenter, objects=[{"select": select}])
    assert what in problem
    assert problem.startswith("spec.yaml:")
    assert "objects.0" in problem


@pytest.mark.parametrize(
    ("segmenter", "select"),
    [
        ("fcn8s", {"class": "sheep"}),
        ("torchvision", {"class": "tvmonitor"}),
        ({"use": "torchvision", "model": "maskrcnn_resnet50_fpn_v2"}, {"class": "toothbrush"}),
        ("fcn8s", {"class": ["sheep", "person"], "not": [[3, 3]]}),
        ("grabcut", {"point": [5, 5]}),
        ("grabcut", {"points": [[5, 5], [7, 7]], "not": [[30, 30]]}),
        (None, {"points": [[5, 5], [7, 7]]}),
        (None, {"box": [1, 1, 9, 9]}),
        (None, {}),
    ],
)
def test_what_a_segmenter_can_do(studio: Studio, segmenter: Any, select: dict[str, Any]) -> None:
    plan = studio.plan(segmenter=segmenter, objects=[{"select": select}])
    assert problems(plan) == []


# --- what headers tell ----------------------------------------------------------------------------


def test_points_and_boxes_outside_of_the_photo_are_all_told(studio: Studio) -> None:
    selects = [
        {"point": [WIDTH, 3]},
        {"point": [3, HEIGHT]},
        {"box": [0, 0, WIDTH + 1, 5]},
        {"point": [WIDTH - 1, HEIGHT - 1], "box": [0, 0, WIDTH, HEIGHT]},
    ]
    found = told(studio, objects=[{"select": select} for select in selects])
    assert [problem.split(": ")[1] for problem in found] == [
        "objects.0.select.point",
        "objects.1.select.point",
        "objects.2.select.box",
    ]
    assert "x goes from 0 to 59, y from 0 to 43" in found[0]
    select = {"points": [[1, 1], [WIDTH, 3]], "not": [[3, HEIGHT], [2, 2]]}
    found = told(studio, objects=[{"select": select}])
    assert [problem.split(": ")[1] for problem in found] == [
        "objects.0.select.points.1",
        "objects.0.select.not.0",
    ]
    # Points count the pixels of the file, whatever it is shrunk to.
    objects = [{"select": {"point": [WIDTH - 1, HEIGHT - 1]}}]
    assert problems(studio.plan(shrink=32, objects=objects)) == []


def test_points_that_a_smaller_photo_cannot_tell_apart(studio: Studio) -> None:
    objects = [{"select": {"point": [21, 20], "not": [[22, 20]]}}]
    assert problems(studio.plan(objects=objects)) == []
    (problem,) = told(studio, shrink=32, objects=objects)
    assert "objects.0.select: the point [21, 20] on the object and [22, 20]" in problem
    assert "shrunk, to 32 x 23 (move them apart, or let `shrink` be larger)" in problem


def test_an_object_in_words_goes_to_the_segmenter_that_understands_them(studio: Studio) -> None:
    plan = studio.plan(segmenter=None, objects=[{"select": {"text": "a cat"}}])
    assert plan.objects[0].segmenter.plugin.name == "text"


def test_each_mask_of_several_is_looked_into(studio: Studio) -> None:
    (studio.folder / "text.png").write_text("no picture")
    use = {"use": "mask", "add": ["mask.png", "text.png"], "subtract": ["mask.png"]}
    (problem,) = told(studio, segmenter=use)
    assert "segmenter.add.1: this is not a picture that can be read" in problem


def test_a_photo_that_lies_on_its_side_is_measured_upright(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise()).save(studio.folder / "photo.jpg", exif=exif)
    objects = [{"select": {"point": [HEIGHT - 1, WIDTH - 1]}}]
    assert problems(studio.plan(content="photo.jpg", objects=objects)) == []
    objects = [{"select": {"point": [WIDTH - 1, HEIGHT - 1]}}]
    assert len(problems(studio.plan(content="photo.jpg", objects=objects))) == 1


def test_files_that_are_no_pictures_are_all_told(studio: Studio) -> None:
    for name in ("text.png", "mask2.png", "style2.png", "start.png"):
        (studio.folder / name).write_text("no picture")
    found = told(
        studio,
        content="text.png",
        start="start.png",
        style={"images": ["style.png", "style2.png"]},
        objects=[{}, {"segmenter": {"use": "mask", "path": "mask2.png"}}],
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "content",
        "start",
        "style.images.1",
        "objects.1.segmenter.path",
    ]
    assert all("this is not a picture that can be read" in problem for problem in found)
    assert found[0].startswith(f"spec.yaml:{line_of(studio, 'text.png')}: ")
    assert found[3].startswith(f"spec.yaml:{line_of(studio, 'mask2.png')}: ")


def test_pictures_that_are_too_much(studio: Studio) -> None:
    frames = [Image.new("L", (9, 9), level) for level in (0, 255)]
    frames[0].save(studio.folder / "two.gif", save_all=True, append_images=frames[1:])
    (problem,) = told(studio, style="two.gif")
    assert "style: the file has 2 frames" in problem
    found = told(studio, max_megapixels=0.002)
    assert [problem.split(": ")[1] for problem in found] == ["content", "segmenter.path"]
    assert all("the picture has 0.00264 megapixels" in problem for problem in found)


def test_a_folder_of_styles_needs_one_that_can_be_read(studio: Studio) -> None:
    (studio.folder / "styles").mkdir()
    (studio.folder / "styles" / "a.png").write_text("no picture")
    style = {"choose_from": "styles", "ranker": "near"}
    (problem,) = told(studio, style=style)
    assert "style.choose_from: no picture in this folder can be read (the first one, a" in problem
    save(studio.folder / "styles" / "b.png", noise(8, 8))
    assert problems(studio.plan(style=style)) == []


@pytest.mark.parametrize(("alpha", "wrong"), [(255, False), (254, True)])
def test_a_transparent_photo_as_jpeg(studio: Studio, alpha: int, wrong: bool) -> None:
    layer = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    layer[3, 4] = alpha
    save(studio.folder / "photo.png", np.dstack([noise(), layer]))
    found = [str(problem) for problem in problems(studio.plan(output="out.jpg"))]
    assert [("output: JPEG cannot hold the transparency" in text) for text in found] == [
        True
    ] * wrong
    assert problems(studio.plan(output="out.webp")) == []


def test_a_photo_that_is_too_long_for_the_format(studio: Studio) -> None:
    Image.new("L", (16384, 2)).save(studio.folder / "long.png")
    (problem,) = told(studio, content="long.png", output="out.webp", objects=None, segmenter=None)
    assert "output: WEBP holds at most 16383 pixels a side" in problem
    changes = {"content": "long.png", "objects": None, "segmenter": None}
    assert problems(studio.plan(output="out.webp", shrink=100, **changes)) == []
    assert problems(studio.plan(output="out.png", **changes)) == []


def test_files_that_are_no_weights(studio: Studio) -> None:
    for name in ("a.safetensors", "a.pth"):
        (studio.folder / name).write_bytes(b"no weights at all")
    save_file({"x": torch.zeros(9)}, studio.folder / "whole.safetensors")
    cut = (studio.folder / "whole.safetensors").read_bytes()[:-1]
    (studio.folder / "cut.safetensors").write_bytes(cut)
    for name in ("a.safetensors", "a.pth", "cut.safetensors"):
        for use in ("smp", "torchvision"):
            (problem,) = told(studio, segmenter={"use": use, "weights": name})
            assert (
                f"segmenter.weights: the file is damaged, or no file of weights: {name}" in problem
            )
    for name in ("whole.safetensors", "whole.pth", "old.pth"):
        if name.endswith(".pth"):
            state, zipped = {"x": torch.zeros(9)}, name == "whole.pth"
            torch.save(state, studio.folder / name, _use_new_zipfile_serialization=zipped)
        assert problems(studio.plan(segmenter={"use": "smp", "weights": name})) == []


def test_weights_within_a_folder(studio: Studio) -> None:
    folder = studio.folder / "net"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"_model_class": "Unet"}))
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 3) + b"{}")
    (problem,) = told(studio, segmenter={"use": "smp", "pretrained": "net"})
    assert "no file of weights: net/model.safetensors" in problem


# --- the device, and the place --------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device")
@pytest.mark.parametrize("device", ["cuda", "cuda:99", "xpu:3"])
def test_a_device_that_is_not_there(studio: Studio, device: str) -> None:
    (problem,) = told(studio, device=device)
    assert f"device: torch finds no device '{device}' here" in problem
    assert problem.startswith(f"spec.yaml:{line_of(studio, 'device')}: ")


def test_validating_imports_no_torch(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = studio.spec(segmenter="fcn8s", objects=[{"select": {"class": "cat"}}])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", "")]))
    assert not HEAVY & imported_by(command("pipeline", "validate", str(spec)))


def test_validate_tells_everything_at_once(instyle: Command, studio: Studio) -> None:
    (studio.folder / "out.png.run").mkdir()
    (studio.folder / "out.png.run" / "mine.txt").write_text("my work")
    spec = studio.spec(style="mask.png", segmenter="grabcut", device="cuda:99", content="no.png")
    assert_error(instyle("pipeline", "validate", spec), 2, "content: no such file", hint=False)
    (studio.folder / "no.png").write_text("no picture")
    done = instyle("pipeline", "validate", spec)
    assert (done.status, done.out) == (2, "")
    for what in ("device: ", "content: ", "objects.0", "this is not the folder of an earlier run"):
        assert what in done.err
    assert done.err.count("error: ") == 4
    with pytest.raises(SpecError):
        run(load_plan(Path(spec)))
