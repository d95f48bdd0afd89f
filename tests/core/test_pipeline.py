"""From a spec to a picture, end to end, with the toy plugin and with the first-party ones."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instyle_core import pipeline
from instyle_core.config.plan import load
from instyle_core.errors import InputError, InstyleError, InterruptedRun, SpecError, WeightsError
from instyle_core.events import Event, Finished, Note, StageFinished, StageStarted, Step
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

RED, BLUE = (255, 0, 0), (0, 0, 255)

#: Enough for every pixel to arrive at the color of `tint`.
WELL = {"use": "adam", "steps": 60, "scales": 1, "learning_rate": 0.05}

#: As above, for a color that is not at the limits, where Adam swings a little.
EXACTLY = {**WELL, "steps": 150, "learning_rate": 0.02}


def tint(color: tuple[int, int, int]) -> dict[str, Any]:
    return {"use": "tint", "color": [value / 255 for value in color]}


def inside(mask: np.ndarray) -> np.ndarray:
    return mask > 127


def assert_repainted(
    output: np.ndarray, photo: np.ndarray, where: np.ndarray, color: Any, tolerance: float = 3
) -> None:
    """The pixels have the color, nearly; all others are the photo's, exactly."""
    assert output.shape == photo.shape
    assert output.dtype == photo.dtype
    np.testing.assert_array_equal(output[~where], photo[~where])
    np.testing.assert_allclose(
        output[where].astype(float), np.broadcast_to(color, output[where].shape), atol=tolerance
    )


# --- what is repainted ----------------------------------------------------------------------------


def test_one_object(studio: Studio) -> None:
    result = studio.run(optimizer=WELL, losses=[tint(BLUE)])
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), BLUE)
    assert result.status == "finished"
    assert result.reason == ""
    assert result.output == studio.folder / "out.png"
    assert result.folder == studio.folder / "out.run"
    assert result.seconds > 0


def test_the_whole_picture(studio: Studio) -> None:
    result = studio.run(objects=None, optimizer=WELL, losses=[tint(BLUE)])
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert_repainted(studio.output, studio.photo, everything, BLUE, tolerance=12)
    assert sorted(path.name for path in (result.folder / "picture").iterdir()) == ["stylized.png"]


def test_a_mask_file(studio: Studio) -> None:
    segmenter = {"use": "mask", "path": "mask.png"}
    studio.run(segmenter=segmenter, optimizer=WELL, losses=[tint(RED)])
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), RED)


def test_each_object_has_its_own_style_and_losses_and_the_first_claims_its_pixels(
    studio: Studio,
) -> None:
    first, second, third = (5, 5, 30, 30), (20, 20, 45, 40), (50, 2, 58, 10)
    for name, box in (("a", first), ("b", second), ("c", third)):
        save(studio.folder / f"{name}.png", rectangle(box))
    save(studio.folder / "green.png", np.full((20, 20, 3), (0, 255, 0), np.uint8))
    objects = [
        {"segmenter": {"use": "stencil", "path": "a.png"}, "losses": [tint(BLUE)]},
        {"segmenter": {"use": "stencil", "path": "b.png"}, "losses": [tint(RED)]},
        {
            "segmenter": {"use": "stencil", "path": "c.png"},
            "losses": [{"use": "palette"}],
            "style": "green.png",
        },
    ]
    studio.run(objects=objects, optimizer=WELL)
    a, b, c = (inside(rectangle(box)) for box in (first, second, third))
    rest = b & ~a
    expected = studio.photo
    for where, color in ((a, BLUE), (rest, RED), (c, (0, 255, 0))):
        expected[where] = color
    np.testing.assert_allclose(studio.output.astype(float), expected, atol=3)
    untouched = ~(a | b | c)
    np.testing.assert_array_equal(studio.output[untouched], studio.photo[untouched])
    # The second object's mask is what was left for it.
    mask = read(studio.folder / "out.run" / "object-1" / "mask.png")
    np.testing.assert_array_equal(mask > 127, rest)


def test_an_object_that_earlier_ones_cover_is_an_error(studio: Studio) -> None:
    save(studio.folder / "small.png", rectangle((22, 12, 30, 20)))
    objects = [{}, {"segmenter": {"use": "stencil", "path": "small.png"}}]
    with pytest.raises(InputError, match="nothing is left") as caught:
        studio.run(objects=objects)
    assert caught.value.where == "objects.1"
    studio.run(objects=list(reversed(objects)))  # the other way round is fine


@pytest.mark.parametrize("shape", ["full", "one pixel", "border", "corner", "odd"])
def test_masks_of_any_shape(studio: Studio, shape: str) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    match shape:
        case "full":
            mask[:] = 255
        case "one pixel":
            mask[17, 23] = 255
        case "border":
            mask[:, :7] = 255
        case "corner":
            mask[-1, -1] = 255
        case "odd":
            mask[10:30, 20] = mask[20, 5:50] = 255
    save(studio.folder / "mask.png", mask)
    studio.run(optimizer=WELL, size=128)
    # The photo is noise; shrunk and enlarged again, none of it may be left in the object.
    assert_repainted(studio.output, studio.photo, inside(mask), RED, tolerance=12)


def test_an_empty_mask_is_an_error(studio: Studio) -> None:
    save(studio.folder / "mask.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    before = listing(studio.folder)
    with pytest.raises(InputError, match="no object") as caught:
        studio.run()
    assert caught.value.where == "objects.0"
    assert caught.value.hint
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before


def test_of_many_components_the_largest_or_all(studio: Studio) -> None:
    boxes = [(2, 2, 8, 8), (20, 5, 40, 25), (50, 30, 55, 40), (5, 35, 9, 39)]
    parts = [rectangle(box) for box in boxes]
    save(studio.folder / "mask.png", np.max(parts, axis=0))
    notes = [event for event in studio.events(optimizer=WELL) if isinstance(event, Note)]
    assert len(notes) == 1
    assert "4" in notes[0].message
    assert_repainted(studio.output, studio.photo, inside(parts[1]), RED)
    studio.run(optimizer=WELL, objects=[{"select": {"instance": "all"}}])
    assert_repainted(studio.output, studio.photo, inside(np.max(parts, axis=0)), RED)
    studio.run(optimizer=WELL, objects=[{"select": {"instance": 2}}])
    assert_repainted(studio.output, studio.photo, inside(parts[0]), RED)  # the third by area


def test_what_the_plan_notes_is_told(studio: Studio) -> None:
    told: list[Event] = []
    plan = replace(studio.plan(), notes=("loss 'tint': 'colour' is called 'color' now",))
    pipeline.run(plan, told.append)
    assert [event.message for event in told if isinstance(event, Note)] == [*plan.notes]


def test_a_photo_of_one_pixel(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(1, 1))
    studio.run(objects=None, optimizer=WELL, losses=[tint(BLUE)])
    assert_repainted(studio.output, studio.photo, np.ones((1, 1), bool), BLUE)
    save(studio.folder / "mask.png", np.full((1, 1), 255, np.uint8))
    studio.run(segmenter={"use": "stencil", "path": "mask.png"}, objects=None)
    assert studio.output.shape == (1, 1, 3)


def test_one_segmentation_serves_all_objects_that_ask_for_the_same(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instyle_toy.parts import Stencil

    calls = []
    original = Stencil.segment

    def segment(*given: Any) -> Any:
        calls.append(given)
        return original(*given)

    monkeypatch.setattr(Stencil, "segment", segment)
    parts = [rectangle((2, 2, 12, 12)), rectangle((30, 5, 50, 25))]
    save(studio.folder / "mask.png", np.max(parts, axis=0))
    studio.run(objects=[{"select": {"instance": 0}}, {"select": {"instance": 1}}])
    assert len(calls) == 1
    changed = (studio.output != studio.photo).any(axis=2)
    assert not changed[~inside(np.max(parts, axis=0))].any()
    assert changed[inside(parts[0])].mean() > 0.9
    assert changed[inside(parts[1])].mean() > 0.9
    studio.run(objects=[{"select": {"instance": 0}}, {"select": {"point": [3, 3]}}])
    assert len(calls) == 3  # another prompt may have another answer


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
    assert result.folder == studio.folder / "out.run"


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
    assert (folder / "fertig ✓ #1 100%.run" / "run.json").is_file()


# --- styles and starts ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, [3, 1]])
def test_several_style_pictures(studio: Studio, weights: list[int] | None) -> None:
    first, second = np.array([240, 40, 0]), np.array([0, 80, 160])
    save(studio.folder / "a.png", np.full((50, 30, 3), first, np.uint8))
    save(studio.folder / "b.png", np.full((20, 90, 3), second, np.uint8))
    style: dict[str, Any] = {"images": ["a.png", "b.png"], "scale": 0.7}
    share = 0.5
    if weights:
        style["weights"] = weights
        share = 0.75
    studio.run(style=style, losses=[{"use": "palette"}], optimizer=EXACTLY)
    expected = share * first + (1 - share) * second
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), expected)


def first_picture(studio: Studio, **changes: Any) -> torch.Tensor:
    """The crop after one step that does nothing."""
    steps = [
        event
        for event in studio.events(losses=[{"use": "fault", "at": 99}], **changes)
        if isinstance(event, Step)
    ]
    return steps[0].picture()


def test_it_starts_from_the_photo(studio: Studio) -> None:
    # 128 pixels, so that nothing is resized.
    save(studio.folder / "photo.png", noise(128, 128))
    start = first_picture(studio, objects=None, size=128)
    assert torch.equal(start, torch.from_numpy(noise(128, 128)).permute(2, 0, 1).float() / 255)


def test_it_starts_from_noise_of_the_seed(studio: Studio) -> None:
    save(studio.folder / "photo.png", np.full((128, 128, 3), 255, np.uint8))
    options: dict[str, Any] = {"objects": None, "size": 128, "start": "noise"}
    start = first_picture(studio, **options)
    # Uniform in [0, 1], each pixel and channel on its own.
    assert abs(float(start.mean()) - 0.5) < 0.01
    assert abs(float(start.std()) - 12**-0.5) < 0.01
    flat = start.flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.05
    assert torch.equal(start, first_picture(studio, **options))
    assert not torch.equal(start, first_picture(studio, **options, seed=1))


def test_noise_stays_within_the_object(studio: Studio) -> None:
    studio.run(start="noise", losses=[{"use": "fault", "at": 99}])
    changed = (studio.output != studio.photo).any(axis=2)
    assert not changed[~inside(rectangle(BOX))].any()
    assert changed[inside(rectangle(BOX))].mean() > 0.9


def test_it_starts_from_a_file_fitted_to_the_photo(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(128, 128))
    other = np.zeros((64, 64, 3), np.uint8)
    other[:32] = (255, 128, 0)
    save(studio.folder / "other.png", other)
    start = first_picture(studio, objects=None, size=128, start="other.png")
    assert start.shape == (3, 128, 128)
    assert torch.allclose(start[:, :56], torch.tensor([1, 128 / 255, 0])[:, None, None], atol=1e-3)
    assert torch.allclose(start[:, 72:], torch.zeros(1), atol=1e-3)


# --- the same again -------------------------------------------------------------------------------


def test_the_same_spec_gives_the_same_bytes(studio: Studio) -> None:
    losses = [
        {"use": "style", "extractor": "pixels", "layers": ["cells"]},
        {"use": "content", "extractor": "pixels", "layers": ["cells"]},
    ]
    options: dict[str, Any] = {"losses": losses, "start": "noise"}
    studio.run(**options)
    first = (studio.folder / "out.png").read_bytes()
    studio.run(**options)
    assert (studio.folder / "out.png").read_bytes() == first
    studio.run(**options, seed=7)
    assert (studio.folder / "out.png").read_bytes() != first


def test_run_json_repeats_the_run(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    save(studio.folder / "b.png", noise(30, 30, seed=4))
    result = studio.run(
        style={"images": ["style.png", "b.png"], "weights": [1, 2], "scale": 0.5},
        losses=[
            {"use": "style", "extractor": "mine", "layers": ["cells"], "weight": 3},
            {"use": "tv", "weight": 0.5},
        ],
        extractors={"mine": {"use": "pixels"}},
        optimizer={"use": "lbfgs", "steps": 4},
        start="noise",
        seed=11,
        merger={"use": "feather", "width": 3},
        output="first.png",
    )
    first = result.output.read_bytes()
    kept = (result.folder / "object-0" / "stylized.png").read_bytes()
    # In a folder of its own, and from another working directory.
    elsewhere = studio.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = pipeline.run(
        load(result.folder / "run.json", lambda document: document.set("output=second.png"))
    )
    assert again.output == elsewhere / "second.png"
    assert again.output.read_bytes() == first
    assert (again.folder / "object-0" / "stylized.png").read_bytes() == kept
    # In its own place: the folder that the record is in is replaced by the new run's.
    same = pipeline.run(load(result.folder / "run.json"))
    assert same.output == result.output
    assert same.output.read_bytes() == first


def test_run_json_repeats_a_whole_picture(studio: Studio) -> None:
    result = studio.run(objects=None)
    first = result.output.read_bytes()
    result.output.unlink()
    assert pipeline.run(load(result.folder / "run.json")).output.read_bytes() == first


# --- events ---------------------------------------------------------------------------------------


def test_events_tell_the_whole_story(studio: Studio) -> None:
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    objects = [{}, {"segmenter": {"use": "stencil", "path": "second.png"}}]
    events = studio.events(objects=objects)
    stages = [("read", None), ("load", None), ("segment", 0), ("segment", 1)]
    stages += [("stylize", 0), ("merge", 0), ("stylize", 1), ("merge", 1), ("write", None)]
    starts = [event for event in events if isinstance(event, StageStarted)]
    ends = [event for event in events if isinstance(event, StageFinished)]
    assert [(event.stage, event.item) for event in starts] == stages
    assert [(event.stage, event.item) for event in ends] == stages
    assert {event.items for event in starts} == {2}
    assert all(event.seconds >= 0 for event in ends)
    for item in (0, 1):
        steps = [event for event in events if isinstance(event, Step) and event.item == item]
        assert [event.step for event in steps] == [1, 2, 3, 4]
        assert {event.steps for event in steps} == {4}
        assert {event.size for event in steps} == {tuple(steps[0].picture().shape[1:])}
        for event in steps:
            assert event.total == pytest.approx(sum(event.losses.values()))
            assert set(event.losses) == {"tint"}
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.status, last.output) == ("finished", studio.folder / "out.png")
    assert [event for event in events if isinstance(event, Finished)] == [last]


def test_nothing_below_the_command_line_prints(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    studio.run()
    assert capfd.readouterr() == ("", "")


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
    "snapshots": "000002.png",
}


@pytest.mark.parametrize("earlier", [True, False], ids=["earlier run", "no earlier run"])
@pytest.mark.parametrize("what", list(FAILURES))
def test_a_failure_leaves_everything_as_it_was(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, what: str, earlier: bool
) -> None:
    if earlier:
        studio.run(snapshots=2)
    before = listing(studio.folder)
    folders = {path for path in studio.folder.rglob("*") if path.is_dir()}
    failure = FAILURES[what]
    changes: dict[str, Any] = {"snapshots": 2, "losses": [tint(BLUE)]}
    if isinstance(failure, str):
        break_disk(monkeypatch, failure)
    else:
        changes |= failure
    with pytest.raises((InstyleError, RuntimeError)):
        studio.run(**changes)
    before["spec.yaml"] = (studio.folder / "spec.yaml").read_bytes()
    assert listing(studio.folder) == before
    assert {path for path in studio.folder.rglob("*") if path.is_dir()} == folders


def test_a_second_run_takes_the_place_of_the_first(studio: Studio) -> None:
    studio.run(snapshots=2)
    assert (studio.folder / "out.run" / "object-0" / "snapshots").is_dir()
    studio.run(losses=[tint(BLUE)])
    assert not (studio.folder / "out.run" / "object-0" / "snapshots").exists()
    names = {path.name for path in studio.folder.iterdir()}
    assert names == {"photo.png", "style.png", "mask.png", "spec.yaml", "out.png", "out.run"}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_an_earlier_run_is_not_replaced(studio: Studio, kind: str) -> None:
    target = studio.folder / "out.run"
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


# --- stopping early -------------------------------------------------------------------------------


def test_an_interrupted_run_is_merged_and_written(studio: Studio) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, Step) and event.step == 3:
            raise KeyboardInterrupt

    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), (50, 128, 255), np.uint8))
    result = studio.run(on_event, optimizer={**WELL, "steps": 1000, "learning_rate": 0.1})
    assert result.status == "interrupted"
    # Adam's first two steps are each about as long as the learning rate, toward red.
    expected = (50 + 51, 128 - 51, 255 - 51)
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), expected)


@pytest.mark.parametrize("kind", ["nan", "nan gradient", "explode"])
def test_a_diverged_run_is_merged_and_written(studio: Studio, kind: str) -> None:
    losses = [tint(BLUE), {"use": "fault", "kind": kind, "at": 15}]
    result = studio.run(losses=losses, optimizer=WELL)
    assert result.status == "diverged"
    assert "'fault'" in result.reason
    assert "tint" not in result.reason
    where = inside(rectangle(BOX))
    np.testing.assert_array_equal(studio.output[~where], studio.photo[~where])
    before = np.abs(studio.photo[where].astype(float) - BLUE).mean()
    assert np.abs(studio.output[where].astype(float) - BLUE).mean() < before / 2


def test_diverging_at_the_first_step_names_the_loss_and_the_object(studio: Studio) -> None:
    with pytest.raises(InstyleError, match="'fault'") as caught:
        studio.run(losses=[tint(BLUE), {"use": "fault"}])
    assert caught.value.exit_status == 1
    assert caught.value.where == "objects.0"
    assert not (studio.folder / "out.png").exists()


@pytest.mark.parametrize(
    ("kind", "status"), [("interrupt", "interrupted"), ("nan gradient", "diverged")]
)
def test_objects_that_are_done_are_kept_when_a_later_one_comes_to_nothing(
    studio: Studio, kind: str, status: str
) -> None:
    save(studio.folder / "second.png", rectangle((45, 5, 55, 15)))
    segmenter = {"use": "stencil", "path": "second.png"}
    objects = [{}, {"segmenter": segmenter, "losses": [{"use": "fault", "kind": kind}]}]
    result = studio.run(objects=objects, optimizer=WELL)
    assert result.status == status
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), RED)


def test_interrupted_before_anything_is_there(studio: Studio) -> None:
    with pytest.raises(InterruptedRun) as caught:
        studio.run(losses=[{"use": "fault", "kind": "interrupt"}])
    assert caught.value.exit_status == 130
    assert not (studio.folder / "out.png").exists()


# --- what is missing ------------------------------------------------------------------------------


def test_an_output_that_cannot_hold_the_photo_is_found_out_before_any_work(studio: Studio) -> None:
    opaque = noise()
    save(studio.folder / "photo.png", np.concatenate([opaque, opaque[..., :1]], axis=2))
    events: list[Event] = []
    with pytest.raises(InputError, match="transparency"):
        studio.run(events.append, output="out.jpg")
    assert {event.stage for event in events if isinstance(event, StageStarted)} == {"read"}


def test_missing_weights_are_found_out_before_any_work(studio: Studio) -> None:
    events: list[Event] = []
    plan = studio.plan(
        losses=[{"use": "content", "extractor": "heavy", "layers": ["cells"]}],
    )
    with pytest.raises(WeightsError, match="toy-missing"):
        pipeline.run(plan, events.append)
    assert not any(isinstance(event, StageStarted) and event.stage == "segment" for event in events)
    assert not list(studio.folder.glob("*out*"))


def test_a_device_that_is_not_there(studio: Studio) -> None:
    with pytest.raises(InputError, match="cuda:63"):
        studio.run(device="cuda:63")


@pytest.mark.parametrize("name", ["photo.png", "style.png", "mask.png", "start.png"])
def test_a_damaged_picture_is_named(studio: Studio, name: str) -> None:
    save(studio.folder / "start.png", noise(seed=3))
    whole = (studio.folder / name).read_bytes()
    (studio.folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as caught:
        studio.run(start="start.png")
    assert re.search(name, str(caught.value))
    assert not (studio.folder / "out.png").exists()


# --- with the real network ------------------------------------------------------------------------


def test_vgg_takes_over_the_colors_of_a_style(studio: Studio) -> None:
    result = studio.run(
        losses=[
            {"use": "content", "layers": ["relu2_1"]},
            {"use": "style", "layers": ["relu1_1", "relu2_1"], "weight": 10},
            {"use": "laplacian", "weight": 0.1},
            {"use": "tv", "weight": 0.01},
        ],
        optimizer={"use": "adam", "steps": 40, "scales": 2, "learning_rate": 0.05},
        merger={"use": "feather", "width": 4},
    )
    assert result.status == "finished"
    where = inside(rectangle(BOX))
    style = np.array([200, 100, 50])
    before = np.abs(studio.photo[where].mean(axis=0) - style).sum()
    after = np.abs(studio.output[where].mean(axis=0) - style).sum()
    assert after < before / 2
    x0, y0, x1, y1 = BOX
    far = np.ones((HEIGHT, WIDTH), bool)
    far[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3] = False
    np.testing.assert_array_equal(studio.output[far], studio.photo[far])
