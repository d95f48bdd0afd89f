"""``instyle click evaluate``: its figures, the photos it takes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

import instyle_fcn8s.weights
from instyle_click.clicks import Clicks
from instyle_click.commands.evaluate import numbers_of, selected
from instyle_click.evaluation import Clicked
from instyle_click.evaluation import evaluate as protocol
from instyle_click.params import ClickParams
from instyle_click.segmenter import Click
from instyle_core import InputError, Prompt, fetch
from instyle_training.voc import CLASSES, open_voc
from tests.core.helpers.commands import Command, assert_error
from tests.plugins.instyle_training.shapes import CAT, DOG, scene, write_photo, write_voc


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos to judge on: both animals, a cat, a dog, nothing, and both in another size."""
    root = write_voc(tmp_path_factory.mktemp("voc"), train=1, val=5)
    for number, gone in ((1, [DOG]), (2, [CAT]), (3, [CAT, DOG])):
        photo, mask = scene(number)
        write_photo(root, f"val_00{number}", photo, np.where(np.isin(mask, gone), 0, mask))
    write_photo(root, "val_004", *scene(4, 64, 48))
    return root


def evaluated(instyle: Command, data: Path, weights: Path, *more: str | Path) -> dict[str, Any]:
    """The document that is printed."""
    given = ("--data", data, "--weights", weights, "--clicks", "3", "--json")
    done = instyle("click", "evaluate", *given, *more)
    assert done.status == 0, done.err
    assert done.err == ""
    return json.loads(done.out, parse_constant=pytest.fail)


def results_of(data: Path, weights: Path, size: int, split: Any = "val") -> list[Clicked]:
    """What the segmenter makes of the same clicks."""
    segmenter = Click(ClickParams(weights=weights, size=size))

    def method(photo: Tensor, clicks: Clicks) -> Tensor:
        prompt = Prompt(points=clicks.on, not_points=clicks.off)
        return segmenter.segment(photo, prompt).probabilities[1]

    return protocol(method, open_voc(data, split), lambda: None, most=3)


def assert_figures(document: dict[str, Any], results: list[Clicked]) -> None:
    ious = np.array([result.ious for result in results])
    assert document["objects"] == len(results)
    for clicks in (1, 2, 3):
        assert document["iou"][str(clicks)] == pytest.approx(ious[:, clicks - 1].mean())
    assert set(document["iou"]) == {"1", "2", "3"}
    for wanted in ("0.85", "0.90"):
        reached = ious >= float(wanted)
        clicks_to = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 3)
        assert document["noc"][wanted] == pytest.approx(clicks_to.mean())
        assert document["failed"][wanted] == pytest.approx(1 - reached.any(axis=1).mean())
    assert document["seconds"] > 0


def test_the_document(instyle: Command, mixed: Path, weights: Path) -> None:
    document = evaluated(instyle, mixed, weights, "--size", "64")
    results = results_of(mixed, weights, 64)
    assert len(results) == 6
    facts = {"weights": str(weights), "split": "val", "photos": 5, "size": 64, "clicks": 3}
    assert {name: document[name] for name in facts} == facts
    assert set(document) == {*facts, "all", "largest", "small", "touching", "classes"}
    assert_figures(document["all"], results)
    assert_figures(document["largest"], [result for result in results if result.largest])
    assert document["largest"]["objects"] == 4
    assert document["small"] == document["touching"] == {"objects": 0}
    assert set(document["classes"]) == {"cat", "dog"}
    for name, told in document["classes"].items():
        assert_figures(told, [result for result in results if result.class_name == name])


def test_the_size_is_that_of_the_segmenter(instyle: Command, mixed: Path, weights: Path) -> None:
    document = evaluated(instyle, mixed, weights, "--split", "train")
    assert (document["split"], document["photos"], document["size"]) == ("train", 1, 384)
    assert_figures(document["all"], results_of(mixed, weights, 384, "train"))


def test_the_largest_alone(instyle: Command, mixed: Path, weights: Path) -> None:
    document = evaluated(instyle, mixed, weights, "--size", "64", "--largest")
    assert_figures(document["all"], [r for r in results_of(mixed, weights, 64) if r.largest])


def test_photos_with_a_class(instyle: Command, mixed: Path, weights: Path) -> None:
    document = evaluated(instyle, mixed, weights, "--size", "64", "--classes", "cat,sheep")
    photos = {"val_000", "val_001", "val_004"}
    assert document["photos"] == 3
    assert_figures(
        document["all"], [r for r in results_of(mixed, weights, 64) if r.photo in photos]
    )


def test_which_photos(mixed: Path) -> None:
    photos = open_voc(mixed, "val")

    def names(numbers: set[int], count: int | None) -> list[str]:
        return [name[-1] for name in selected(photos, numbers, count).names]

    assert names(set(), None) == ["0", "1", "2", "3", "4"]
    assert names({CAT}, None) == ["0", "1", "4"]
    assert names({DOG}, None) == ["0", "2", "4"]
    assert names({CAT, DOG}, None) == ["0", "1", "2", "4"]
    assert names({17}, None) == []
    assert names(set(), 2) == ["0", "2"]
    assert names(set(), 9) == ["0", "1", "2", "3", "4"]
    assert names({DOG}, 1) == ["0"]


def test_names_of_classes() -> None:
    assert numbers_of(None) == set()
    assert numbers_of("cat, dog,sheep") == {CAT, DOG, CLASSES.index("sheep")}
    for wrong in ("unicorn", "background", "cat,", "Cat"):
        with pytest.raises(InputError, match="is no class of VOC") as caught:
            numbers_of(wrong)
        assert "aeroplane" in str(caught.value.hint)


def test_the_table(instyle: Command, mixed: Path, weights: Path) -> None:
    given = ("--data", mixed, "--weights", weights, "--clicks", "3", "--size", "64")
    document = evaluated(instyle, mixed, weights, "--size", "64")
    done = instyle("click", "evaluate", *given)
    assert done.status == 0, done.err
    assert done.err == ""
    assert "net.safetensors on 5 photos of val" in done.out
    rows = {line.split()[1]: line for line in done.out.splitlines() if line.startswith("│")}
    assert set(rows) == {"all", "largest", "cat", "dog"}  # no row of nothing
    for name, row in rows.items():
        told = document[name] if name in document else document["classes"][name]
        cells = [cell.strip() for cell in row.strip("│").split("│")]
        assert cells[:2] == [name, str(told["objects"])]
        assert cells[2:5] == [f"{told['iou'][n]:.3f}" for n in "123"]
        assert cells[5] == ""  # IoU after 5 clicks
        assert cells[6:] == [f"{told['noc'][iou]:.2f}" for iou in ("0.85", "0.90")]
    assert done.out.rstrip().endswith(" s a click")


# --- what can go wrong ----------------------------------------------------------------------------


def test_nothing_to_click_on(instyle: Command, mixed: Path, weights: Path, tmp_path: Path) -> None:
    given = ("--data", mixed, "--weights", weights, "--classes", "sheep")
    done = instyle("click", "evaluate", *given)
    assert_error(done, 2, "0 photos of val show no object to click on", str(mixed), "--classes")


def test_no_data(instyle: Command, weights: Path, tmp_path: Path) -> None:
    done = instyle("click", "evaluate", "--data", tmp_path, "--weights", weights)
    assert_error(done, 2, str(tmp_path), "VOCdevkit/VOC2012")


def test_weights_of_another_segmenter(instyle: Command, mixed: Path) -> None:
    path = fetch(instyle_fcn8s.weights.ANIMALS)
    done = instyle("click", "evaluate", "--data", mixed, "--weights", path)
    assert_error(done, 3, str(path), "network: Field required", "written by this plugin")


@pytest.mark.parametrize(
    ("option", "value"), [("--size", "63"), ("--clicks", "0"), ("--photos", "0")]
)
def test_options_out_of_range(
    instyle: Command, mixed: Path, weights: Path, option: str, value: str
) -> None:
    given = ("--data", mixed, "--weights", weights, option, value)
    done = instyle("click", "evaluate", *given)
    assert done.status == 2
    assert option in done.err
