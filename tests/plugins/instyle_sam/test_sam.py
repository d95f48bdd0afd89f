"""The segmenter: which prompts it asks the network, what it makes of the answers, wrong prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import InputError, Instance, Prompt, testing
from instyle_sam.params import SamParams
from instyle_sam.sam import Sam, check, pointed, segmentation
from tests.plugins.instyle_sam.fakes import SCORES, FakeSam

IMAGE = torch.zeros(3, 60, 80)


def ask(fake: Any, prompt: Prompt) -> tuple[Tensor, float]:
    return pointed(fake, fake.see(IMAGE), prompt)


def lists(asked: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in asked.items() if k != "mask"}


# --- by pointing ----------------------------------------------------------------------------------


def test_of_three_masks_the_one_that_most_is_expected_of() -> None:
    fake = FakeSam()
    mask, score = ask(fake, Prompt(points=((30, 20),)))
    assert score == pytest.approx(max(SCORES))
    y, x = np.mgrid[:60, :80]
    expected = (x - 30) ** 2 + (y - 20) ** 2 <= 9**2
    assert np.array_equal((mask[0] >= 0.5).numpy(), expected)
    (asked,) = fake.asked
    assert lists(asked) == {
        "points": [[[30, 20]]],
        "labels": [[1]],
        "boxes": None,
        "several": True,
    }


def test_the_mask_of_the_first_point_comes_with_all_of_them() -> None:
    fake = FakeSam()
    prompt = Prompt(points=((30, 20), (40, 20)), not_points=((5, 6),))
    _, score = ask(fake, prompt)
    assert score == pytest.approx(SCORES[0])  # of the only mask of the second answer
    first, second = fake.asked
    assert lists(first)["points"] == [[[30, 20]]]
    assert lists(second) == {
        "points": [[[30, 20], [40, 20], [5, 6]]],
        "labels": [[1, 1, 0]],
        "boxes": None,
        "several": False,
    }
    best = FakeSam().masks(fake.see(IMAGE), first["points"], None)[0][0, 1]
    assert torch.equal(second["mask"], best)


def test_a_box_comes_with_every_question() -> None:
    fake = FakeSam()
    mask, _ = ask(fake, Prompt(box=(10, 20, 50, 40)))
    assert torch.equal(torch.nonzero(mask[0] >= 0.5)[[0, -1]], torch.tensor([[20, 10], [39, 49]]))
    (asked,) = fake.asked
    assert lists(asked) == {
        "points": None,
        "labels": None,
        "boxes": [[10, 20, 50, 40]],
        "several": True,
    }
    ask(fake, Prompt(box=(10, 20, 50, 40), points=((12, 22),)))
    assert lists(fake.asked[1])["points"] == [[[12, 22]]]
    assert lists(fake.asked[1])["boxes"] == [[10, 20, 50, 40]]
    assert len(fake.asked) == 2
    ask(fake, Prompt(box=(10, 20, 50, 40), not_points=((12, 22),)))
    assert lists(fake.asked[2])["points"] is None
    assert lists(fake.asked[3])["labels"] == [[0]]
    assert lists(fake.asked[3])["boxes"] == [[10, 20, 50, 40]]


def test_a_score_beyond_one_is_one() -> None:
    fake = FakeSam()
    fake.scores = (0.2, 1.04, 0.3)
    assert ask(fake, Prompt(points=((30, 20),)))[1] == 1


# --- the segmenter with a network -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sam", "sam2", "sam2_video"])
@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(point=(10, 20)),
        Prompt(points=((10, 20), (12, 3)), not_points=((30, 20),)),
        Prompt(box=(3, 4, 30, 20)),
        Prompt(box=(3, 4, 30, 20), points=((10, 12),), not_points=((59, 39),)),
        Prompt(),
        Prompt(class_name="object"),
    ],
)
def test_what_it_promises(nets: Path, kind: str, prompt: Prompt) -> None:
    segmenter = Sam(SamParams(pretrained=str(nets / kind), threshold=0, grid=3))
    image = testing.picture(40, 60)
    before = image.clone()
    seen = testing.check_segmenter(segmenter, image, prompt)
    assert torch.equal(image, before)
    assert seen.classes == ("background", "object")
    assert seen.instances is not None
    if prompt.points or prompt.box:
        assert len(seen.instances) == 1
    again = segmenter.segment(image, prompt)
    assert torch.equal(again.probabilities, seen.probabilities)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 3), (200, 3)])
def test_pictures_of_any_form(nets: Path, size: tuple[int, int]) -> None:
    for kind in ("sam", "sam2"):
        segmenter = Sam(SamParams(pretrained=str(nets / kind), threshold=0, grid=2))
        for prompt in (Prompt(points=((0, 0),)), Prompt()):
            testing.check_segmenter(segmenter, testing.picture(*size), prompt)


def test_objects_may_overlap() -> None:
    one, two = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    one[:, :3], two[:, 1:] = 0.75, 0.5
    seen = segmentation(
        [Instance("object", one, 0.9), Instance("object", two, 0.8)], IMAGE[:, :4, :4]
    )
    expected = torch.tensor([0.75, 0.75, 0.75, 0.5])[:, None].expand(4, 4)
    assert torch.equal(seen.probabilities[1], expected)
    assert torch.equal(seen.probabilities[0], 1 - expected)
    nothing = segmentation([], IMAGE)
    assert nothing.instances == ()
    assert torch.equal(nothing.probabilities[0], torch.ones(60, 80))


# --- wrong prompts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(points=((80, 20),)), r"the point \[80, 20\] is outside of the picture"),
        (Prompt(points=((8, 20), (8, 60))), r"the point \[8, 60\] is outside of the picture"),
        (Prompt(points=((8, 20),), not_points=((-1, 5),)), r"the point \[-1, 5\] is outside"),
        (Prompt(box=(0, 0, 81, 5)), r"the box \[0, 0, 81, 5\] is empty or reaches outside"),
        (Prompt(box=(5, 5, 5, 9)), "is empty"),
        (Prompt(box=(5, 5, 9, 9), points=((9, 9),)), r"\[9, 9\] is outside of the box"),
        (Prompt(points=((8, 20),), not_points=((8, 20),)), r"\[8, 20\] is said to be on the"),
        (Prompt(not_points=((8, 20),)), "where the object is not, but not where it is"),
    ],
)
def test_wrong_prompts(prompt: Prompt, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check(prompt, 60, 80)
    assert caught.value.exit_status == 2


def test_right_prompts() -> None:
    for prompt in (
        Prompt(),
        Prompt(points=((0, 0), (79, 59))),
        Prompt(box=(0, 0, 80, 60), points=((79, 59),), not_points=((0, 0),)),
        Prompt(box=(5, 5, 9, 9), not_points=((70, 50),)),
        Prompt(text="a cat"),
    ):
        check(prompt, 60, 80)
