"""The segmenter ``click``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from instyle_click import checkpoint
from instyle_click.clicks import Clicks
from instyle_click.looks import look_twice
from instyle_click.network import ClickNet
from instyle_click.params import ClickParams
from instyle_click.segmenter import Click
from instyle_core import InputError, Prompt, testing


@pytest.fixture(scope="module")
def network() -> ClickNet:
    """With weights that a file can hold exactly, and answers that depend on what is asked."""
    torch.manual_seed(0)
    network = ClickNet(encoder="tu-test_efficientnet")
    with torch.no_grad():
        network.score.weight *= 5
    return network.half().float().eval()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, network: ClickNet) -> Path:
    path = tmp_path_factory.mktemp("click") / "network.safetensors"
    checkpoint.save(path, network)
    return path


PROMPTS = [
    Prompt(point=(10, 20)),
    Prompt(points=((10, 20), (40, 30)), not_points=((0, 0), (63, 41))),
    Prompt(box=(5, 6, 30, 40)),
    Prompt(point=(10, 20), box=(5, 6, 30, 40), not_points=((20, 20),)),
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_contract(file: Path, network: ClickNet, prompt: Prompt) -> None:
    image = testing.picture(42, 64)
    seen = testing.check_segmenter(Click(ClickParams(weights=file, size=96)), image, prompt)
    assert seen.classes == ("background", "object")
    assert seen.instances is None
    clicks = Clicks(prompt.points, prompt.not_points, prompt.box)
    expected = look_twice(network, image, clicks, 96)
    assert torch.equal(seen.probabilities[1], expected)
    assert expected.std() > 0


@pytest.mark.parametrize("size", [(1, 1), (3, 200)], ids=str)
@pytest.mark.parametrize("prompt", [Prompt(point=(0, 0)), Prompt(box=(0, 0, 1, 1))], ids=str)
def test_odd_sizes(file: Path, size: tuple[int, int], prompt: Prompt) -> None:
    segmenter = Click(ClickParams(weights=file, size=96))
    testing.check_segmenter(segmenter, testing.picture(*size), prompt)


def test_what_was_asked_before_does_not_matter(file: Path) -> None:
    segmenter = Click(ClickParams(weights=file, size=96))
    image = testing.picture(42, 64)
    first = [segmenter.segment(image, prompt).probabilities for prompt in PROMPTS]
    again = [segmenter.segment(image, prompt).probabilities for prompt in reversed(PROMPTS)]
    for one, other in zip(first, reversed(again), strict=True):
        assert torch.equal(one, other)
    assert all(not torch.equal(first[0], other) for other in first[1:])


def test_a_correction_of_the_same_object_needs_no_first_look(
    file: Path, network: ClickNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[int, ...]] = []
    forward = ClickNet.forward

    def counted(self: ClickNet, pixels: Tensor, told: Tensor) -> Tensor:
        looks.append(tuple(pixels.shape))
        return forward(self, pixels, told)

    monkeypatch.setattr(ClickNet, "forward", counted)
    segmenter = Click(ClickParams(weights=file, size=96))
    image, other = testing.picture(42, 64), testing.picture(42, 64).flip(2)

    def ask(picture: Tensor, *points: tuple[int, int], off: tuple[int, int] | None = None) -> int:
        """How many looks were taken; and the answer is that of a segmenter that saw nothing yet."""
        prompt = Prompt(points=points, not_points=(off,) if off else ())
        before = len(looks)
        found = segmenter.segment(picture, prompt).probabilities[1]
        taken = len(looks) - before
        clicks = Clicks(prompt.points, prompt.not_points, None)
        assert torch.equal(found, look_twice(network, picture, clicks, 96))
        return taken

    assert ask(image, (10, 20)) == 2
    assert ask(image, (10, 20), (40, 30)) == 1
    assert ask(image, (10, 20), off=(3, 3)) == 1
    assert ask(image, (11, 20)) == 2  # another object
    assert ask(other, (11, 20)) == 2  # another photo
    assert ask(other, (11, 20), (12, 20)) == 1
    other.mul_(0.5)  # the same tensor with another photo in it
    assert ask(other, (11, 20), (12, 20)) == 2


def test_probabilities_can_weight_what_is_differentiated(file: Path) -> None:
    image = testing.picture(32, 32)
    segmenter = Click(ClickParams(weights=file))
    mask = segmenter.segment(image, Prompt(point=(9, 9))).probabilities[:1]
    image.requires_grad_()
    (image * mask).sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize(
    "prompt", [Prompt(), Prompt(class_name="cat"), Prompt(not_points=((3, 3),))], ids=str
)
def test_neither_a_point_nor_a_box(file: Path, prompt: Prompt) -> None:
    segmenter = Click(ClickParams(weights=file))
    with pytest.raises(InputError, match="needs to be told where the object is") as caught:
        segmenter.segment(testing.picture(32, 32), prompt)
    assert caught.value.exit_status == 2
    assert "select: {point: [x, y]}" in str(caught.value.hint)
