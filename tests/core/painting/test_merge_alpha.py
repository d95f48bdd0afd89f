"""An object with a soft edge: its old color is not left around its painting."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from instyle_core import Mask, Merger, Params
from instyle_core.objects.find import FoundObject
from instyle_core.painting.crop import Crop
from instyle_core.painting.merge import merge
from instyle_core.testing import picture
from tests.core.helpers.plans import object_plan, use

SIZE, BOX = (40, 60), (0, 0, 60, 40)


class Decided(Merger):
    """Knows of no alpha, as a plugin from before there was one."""

    def __init__(self, params: Params) -> None: ...

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        return torch.where(mask.decision > 0, stylized, content)


class Blended(Decided):
    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        assert mask.alpha is not None
        return torch.lerp(content, stylized, mask.alpha)


def color(*rgb: float) -> Tensor:
    return torch.tensor(rgb)[:, None, None].expand(3, *SIZE)


def soft_object(merger: type[Merger]) -> FoundObject:
    alpha = torch.linspace(1.6, -0.6, 60).clamp(0, 1).expand(1, *SIZE).contiguous()
    mask = Mask(alpha, (alpha >= 0.5).float(), alpha)
    plan = object_plan(merger=use("merger", Params(), f"{__name__}:{merger.__name__}"))
    return FoundObject(0, plan, mask, plan.merger.create().paints(mask), BOX)


@pytest.mark.parametrize("merger", [Decided, Blended])
def test_only_painting_and_background_are_left(merger: type[Merger]) -> None:
    """Of a red object before blue, painted green, no red is left anywhere."""
    found = soft_object(merger)
    alpha = found.mask.alpha
    assert alpha is not None
    red, blue, green = color(0.9, 0.1, 0.1), color(0.1, 0.1, 0.9), color(0.1, 0.9, 0.1)
    photo = alpha * red + (1 - alpha) * blue
    part = Crop.of(found, photo, [], None)
    merged, _ = merge(found, part, green.contiguous())
    share = alpha if merger is Blended else found.mask.decision
    expected = share * green + (1 - share) * blue
    # Alpha of less than 1 / 255 is left as it is.
    torch.testing.assert_close(merged, expected, atol=0.015, rtol=0)
    untouched = (alpha == 0).expand_as(photo)
    assert torch.equal(merged[untouched], photo[untouched])


def test_the_losses_see_the_object_s_own_color_up_to_the_end_of_its_edge() -> None:
    found = soft_object(Blended)
    alpha = found.mask.alpha
    assert alpha is not None
    red, blue = color(0.9, 0.1, 0.1), color(0.1, 0.1, 0.9)
    part = Crop.of(found, alpha * red + (1 - alpha) * blue, [], None)
    object_ = (part.mask > 0).expand_as(part.content)
    assert torch.equal(part.mask, (alpha > 1 / 255).float())
    assert torch.equal(part.paints, part.mask)
    torch.testing.assert_close(part.content[object_], red[object_], atol=0.015, rtol=0)


def test_without_an_alpha_nothing_is_estimated() -> None:
    found = soft_object(Decided)
    hard = FoundObject(
        0, found.plan, Mask(found.mask.probability, found.mask.decision), found.mask.decision, BOX
    )
    photo = picture(*SIZE)
    part = Crop.of(hard, photo, [], None)
    assert torch.equal(part.content, photo)
    assert torch.equal(part.behind, photo)
    assert torch.equal(part.mask, found.mask.decision)


def test_pixels_of_another_object_are_not_taken_apart() -> None:
    found = soft_object(Blended)
    others = torch.zeros(1, *SIZE)
    others[:, :20] = 1
    found = FoundObject(0, found.plan, found.mask, found.paints * (1 - others), BOX)
    photo = picture(*SIZE)
    part = Crop.of(found, photo, [], None)
    assert torch.equal(part.behind[:, :20], photo[:, :20])
    assert not torch.equal(part.behind[:, 20:], photo[:, 20:])
    assert not part.mask[:, :20].any()
