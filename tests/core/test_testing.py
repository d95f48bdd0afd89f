"""The contract checks, beside what the border finds: gradients, masks, the same result twice."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from instyle_core import (
    Loss,
    LossParams,
    Mask,
    Merger,
    Params,
    Ranker,
    RankerParams,
    Rating,
    Refiner,
    Targets,
    View,
    testing,
)
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.plugin.registry import Registry

ROOT = Path(__file__).parents[2]


class CellsParams(LossParams):
    def reads(self) -> Mapping[str, Sequence[str]]:
        return {"pixels": ["a", "b"]}


# --- the things to test with ----------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(32, 32), (5, 90), (1, 1)])
def test_a_picture_stays_clear_of_black_and_white(height: int, width: int) -> None:
    picture = testing.picture(height, width)
    assert picture.shape == (3, height, width)
    assert 0.05 <= float(picture.min()) <= float(picture.max()) <= 0.95
    assert torch.equal(picture, testing.picture(height, width))
    assert not torch.equal(picture, testing.picture(height, width, seed=1))


def test_a_disc_is_round_and_in_the_middle() -> None:
    mask = testing.disc(80, 120, radius=0.4)
    assert torch.equal(mask.probability, mask.decision)
    assert float(mask.decision.sum()) == pytest.approx(np.pi * 32**2, rel=0.01)
    rows, columns = np.nonzero(mask.decision[0].numpy())
    assert (rows.mean(), columns.mean()) == (39.5, 59.5)
    assert not testing.disc(radius=0).decision.any()
    assert testing.disc(radius=2).decision.all()


def test_what_a_loss_would_see() -> None:
    image, mask = testing.picture(9, 13), testing.disc(9, 13).decision
    seen = testing.view(image, mask, CellsParams(), stride=3)
    assert torch.equal(seen.image, image[None])
    assert torch.equal(seen.mask(), mask[None])
    cells = image[:, :9, :12].reshape(3, 3, 3, 4, 3).mean(dim=(2, 4)).numpy()
    for index, layer in enumerate("ab"):
        matrix = torch.randn(6, 3, generator=torch.Generator().manual_seed(index)).numpy()
        expected = np.einsum("kc,chw->khw", matrix, cells) ** 2
        np.testing.assert_allclose(seen.features("pixels", layer)[0].numpy(), expected, rtol=1e-4)


def test_a_registry_has_what_it_is_given_alone() -> None:
    module = ModuleType("instyle_nothing")
    assert isinstance(testing.registry(module), Registry)
    (failure,) = testing.registry(module).failures
    assert (failure.name, failure.distribution) == (
        "instyle_nothing",
        "instyle_nothing unversioned",
    )
    names = [e.plugin.name for e in testing.registry("instyle_mergers").entries()]
    assert names == ["feather", "hard", "mrf", "multiband"]


def test_the_example_works_with_the_loss_of_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    (tmp_path / "instyle_moments").mkdir()
    for name in ("__init__.py", "params.py", "loss.py"):
        (tmp_path / "instyle_moments" / name).write_text(found[f"instyle_moments/{name}"])
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {"torch": torch}
    exec("from instyle_moments.loss import MomentsLoss, MomentsParams", names)
    _, _, example = (testing.__doc__ or "").partition("::\n")
    assert "check_loss(MomentsLoss" in example
    exec(re.sub("^    ", "", example, flags=re.MULTILINE), names)
    names["test_contract"]()
    for name in [name for name in sys.modules if name.partition(".")[0] == "instyle_moments"]:
        del sys.modules[name]  # it was there for this test alone


# --- losses ---------------------------------------------------------------------------------------


class Distance(Loss):
    """The mean distance of what a function makes of the picture from what it makes of the photo."""

    def __init__(self, measure: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.measure = measure

    def prepare(self, targets: Targets) -> None:
        self.mask = targets.content.mask()
        self.target = targets.content.image * self.mask

    def __call__(self, view: View) -> Tensor:
        return self.measure(view.image * self.mask, self.target)


def check(measure: Callable[[Tensor, Tensor], Tensor]) -> None:
    testing.check_loss(lambda _: Distance(measure), CellsParams())


def sliced_wasserstein(x: Tensor, y: Tensor, power: int = 2) -> Tensor:
    """The mean distance of sorted projections of colors, Rabin et al. 2011, to a power."""
    directions = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    one, other = ((directions @ pixels.flatten(2)[0]).sort(dim=1).values for pixels in (x, y))
    return (one - other).abs().pow(power).mean()


class Scaled(torch.autograd.Function):
    """The same, with a gradient that is wrong by a factor (of 1, right)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.saved_tensors[0], None


def wrong(values: Tensor, by: float, share: float = 1.0) -> Tensor:
    """Wrong by a factor in the first so many columns."""
    factor = torch.ones_like(values)
    factor[..., : max(1, round(share * values.shape[-1]))] = by
    return Scaled.apply(values, factor)


RIGHT: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squares": lambda x, y: (x - y).square().mean(),
    "large squares": lambda x, y: 1e6 * (x - y).square().sum(),
    "small squares": lambda x, y: 1e-6 * (x - y).square().mean(),
    "high powers": lambda x, y: (x - y).pow(8).sum(),
    "distances": lambda x, y: (x - y).abs().mean(),
    "distances of neighbors": lambda x, y: (x - y).diff(dim=-1).abs().mean(),
    "the largest": lambda x, y: (x - y).flatten(1).abs().max(),
    "sorted colors": sliced_wasserstein,
    "sorted colors, to the first power": lambda x, y: sliced_wasserstein(x, y, 1),
    "quantiles": lambda x, y: (x.quantile(0.3) - y.quantile(0.3)).square(),
}
WRONG: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "by 1%": lambda x, y: RIGHT["squares"](wrong(x, 1.01), y),
    "by 1%, of large numbers": lambda x, y: RIGHT["large squares"](wrong(x, 1.01), y),
    "by its sign": lambda x, y: RIGHT["squares"](wrong(x, -1), y),
    "in one column": lambda x, y: RIGHT["squares"](wrong(x, 0, 0.01), y),
    "by 1%, of sorted colors": lambda x, y: sliced_wasserstein(wrong(x, 1.01), y),
    "in one column, of sorted colors": lambda x, y: sliced_wasserstein(wrong(x, 2, 0.01), y),
    "by half a term": lambda x, y: (x - y).square().mean() + (x - y).detach().pow(4).mean(),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_loss_with_kinks_is_no_wrong_one(name: str) -> None:
    check(RIGHT[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_is_found(name: str) -> None:
    with pytest.raises(AssertionError, match=r"the gradient is wrong along [3-6] of 6 .*tolerance"):
        check(WRONG[name])


class Projected(Distance):
    """Compares random projections, drawn anew at each evaluation from the view or the generator."""

    def __call__(self, view: View) -> Tensor:
        drawn = torch.rand(4, 3, generator=view.generator) + view.random(4, 3)
        x, y = (drawn.to(view.image) @ pixels.flatten(2)[0] for pixels in (view.image, self.target))
        return self.measure(x * self.mask.flatten(2)[0], y)


def test_a_loss_may_draw_random_numbers() -> None:
    def check_projected(by: float) -> None:
        def measure(x: Tensor, y: Tensor) -> Tensor:
            return RIGHT["squares"](wrong(x, by), y)

        testing.check_loss(lambda _: Projected(measure), CellsParams())

    check_projected(1)
    with pytest.raises(AssertionError, match="the gradient is wrong along"):
        check_projected(1.01)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (
            lambda x, y: (x - y).square().mean() + 1,
            r"the loss is 1\.0 at its target.*1e-9.*zero_at",
        ),
        (lambda x, y: 0 * x.sum(), "not above 0"),
        (lambda x, y: (x - y).detach().square().mean() + 0 * x.sum(), "no gradient reaches"),
    ],
)
def test_what_else_a_loss_must_be(measure: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(measure)


def test_a_loss_must_not_look_beyond_the_mask() -> None:
    class Everywhere(Distance):
        def prepare(self, targets: Targets) -> None:
            self.mask, self.target = torch.ones(1), targets.content.image

    with pytest.raises(AssertionError, match="away from the mask"):
        testing.check_loss(lambda _: Everywhere(RIGHT["squares"]), CellsParams())


# --- the others -----------------------------------------------------------------------------------


class Bytes(Merger):
    """Computes in 8 bits, and is off by so many levels."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        merged = torch.where(mask.decision > 0, stylized, content)
        return ((merged * 255).round() / 255 + self.off / 255).clamp(0, 1)


def test_a_merger_may_compute_in_8_bits() -> None:
    testing.check_merger(Bytes())
    with pytest.raises(AssertionError, match=r"outside of paints\(\) is .* 1 at the most"):
        testing.check_merger(Bytes(2))


def test_a_merger_must_leave_a_photo_alone_that_is_merged_with_itself() -> None:
    class Darker(Merger):
        def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
            return torch.where(mask.decision > 0, stylized * 0.9, content)

    with pytest.raises(AssertionError, match="merging the photo with itself changes it by"):
        testing.check_merger(Darker())


def test_a_refiner_must_give_the_same_twice() -> None:
    class Whimsical(Refiner):
        def refine(self, image: Tensor, mask: Mask) -> Mask:
            decision = (torch.rand_like(mask.decision) < 0.5).float()
            return Mask(decision, decision)

    with pytest.raises(AssertionError, match="differs from one call to the next"):
        testing.check_refiner(Whimsical())


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (lambda view, calls: float(calls), "differ from one call to the next"),
        (lambda view, calls: float(view.image.sum()), "away from the mask"),
    ],
)
def test_what_a_ranker_must_not_do(figure: Callable[[View, int], float], message: str) -> None:
    class Bad(Ranker):
        calls = 0

        def rate(self, content: View, style: View) -> Rating:
            self.calls += 1
            return Rating(figure(content, self.calls))

    with pytest.raises(AssertionError, match=message):
        testing.check_ranker(lambda _: Bad(), RankerParams())


class OneParams(ExtractorParams):
    def layers(self) -> Mapping[str, int]:
        return {"a": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps, weight: {**maps, "b": maps["a"]}, r"asked for \['a'\], got \['a', 'b'\]"),
        (lambda maps, weight: {"a": 0 * maps["a"]}, "no gradient reaches the pixels from a"),
        (
            lambda maps, weight: {"a": maps["a"] * weight},
            r"must be frozen, but trains \['weight'\]",
        ),
        (lambda maps, weight: {"a": maps["a"] + torch.rand(())}, "differs from one call"),
    ],
)
def test_what_an_extractor_must_not_do(change: Any, message: str) -> None:
    class Net(nn.Module, testing.PixelExtractor):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            testing.PixelExtractor.__init__(self)
            self.weight = nn.Parameter(torch.ones(()), requires_grad="trains" in message)

        def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
            return change(testing.PixelExtractor.extract(self, images, layers), self.weight)

    with pytest.raises(AssertionError, match=message):
        testing.check_extractor(Net(), OneParams())


def test_parameters_with_other_names_are_all_right() -> None:
    """What is tested is called by its class, and need not be an installed plugin."""

    class Odd(Merger):
        def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Any:
            return None

    with pytest.raises(AssertionError, match=r"^the merger 'Odd' of .*test_testing is broken"):
        testing.check_merger(Odd())
    assert issubclass(OneParams, Params)
