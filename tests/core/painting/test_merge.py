"""The painting of a crop is merged into it, and ``run.json`` is told the facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import Mask, Merger, Params, Rating
from instyle_core.objects.find import FoundObject
from instyle_core.painting.crop import Crop
from instyle_core.painting.merge import merge
from instyle_core.testing import picture
from tests.core.helpers.plans import object_plan, use
from tests.core.helpers.studio import HEIGHT, WIDTH, Studio, rectangle, save

#: In a photo of 60 by 50 pixels: the crop, and the object within it.
PHOTO, CROP, OBJECT = (50, 60), (10, 5, 42, 37), (16, 12, 30, 33)


class Mostly(Merger):
    """Three quarters painting and one photo, at the object alone; remembers what it was given."""

    given: ClassVar[list[tuple[Tensor, Tensor, Mask]]] = []

    def __init__(self, params: Params) -> None:
        self.given.clear()

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        self.given.append((content, stylized, mask))
        return torch.where(mask.decision > 0, (content + 3 * stylized) / 4, content)


def found_object(**more: Any) -> FoundObject:
    x0, y0, x1, y1 = OBJECT
    decision = torch.zeros(1, *PHOTO)
    decision[:, y0:y1, x0:x1] = 1
    plan = object_plan(merger=use("merger", Params(), f"{__name__}:Mostly"))
    return FoundObject(1, plan, Mask(decision * 0.75, decision), decision, CROP, **more)


def test_the_merger_is_given_the_crop_of_everything() -> None:
    object_, photo, painting = found_object(), picture(*PHOTO, seed=1), picture(32, 32, seed=2)
    merged, _ = merge(object_, Crop.of(object_, photo, [], None), painting)
    rows, columns = slice(5, 37), slice(10, 42)
    ((content, stylized, mask),) = Mostly.given
    own = photo.numpy()[:, rows, columns]
    inside = object_.mask.decision.numpy()[:, rows, columns]
    np.testing.assert_array_equal(content, own)
    np.testing.assert_array_equal(stylized, np.where(inside > 0, painting, own))
    np.testing.assert_array_equal(mask.decision, inside)
    np.testing.assert_array_equal(mask.probability, 0.75 * inside)
    np.testing.assert_array_equal(
        merged, np.where(inside > 0, (own + 3 * painting.numpy()) / 4, own)
    )


def test_a_smaller_painting_is_enlarged_to_the_crop() -> None:
    object_, photo = found_object(), torch.full((3, *PHOTO), 0.25)
    merged, facts = merge(object_, Crop.of(object_, photo, [], None), torch.full((3, 16, 16), 0.75))
    inside = object_.mask.decision.numpy()[:, 5:37, 10:42]
    np.testing.assert_allclose(merged, np.broadcast_to(0.25 + 0.375 * inside, (3, 32, 32)), 1e-6)
    assert facts["worked_at"] == [16, 16]


def test_the_facts_of_an_object() -> None:
    """A flat photo of 0.25 and a painting of 0.75: the merged picture jumps from 0.25 to 0.625."""
    object_, photo = found_object(), torch.full((3, *PHOTO), 0.25)
    _, facts = merge(object_, Crop.of(object_, photo, [], None), torch.full((3, 32, 32), 0.75))
    seam = facts.pop("seam")
    x0, y0, x1, y1 = OBJECT
    assert facts == {
        "crop": list(CROP),
        "worked_at": [32, 32],
        "box": list(OBJECT),
        "pixels": (x1 - x0) * (y1 - y0),
    }
    assert seam["jump"] == pytest.approx(255 * 0.375, abs=1e-3)
    assert seam["halo"] == 0
    json.dumps([facts, seam])


def test_the_facts_have_the_ranking_that_the_style_was_chosen_by() -> None:
    ranking = {
        Path("styles/b.png"): Rating(0.1, {"hue": 2.0}),
        Path("styles/a.png"): Rating(0.3, {"hue": 1.0}),
    }
    object_ = found_object(ranking=ranking)
    _, facts = merge(object_, Crop.of(object_, picture(*PHOTO), [], None), picture(32, 32, seed=2))
    assert facts["style"] == {
        "chosen": "styles/b.png",
        "ranking": [
            {"picture": "styles/b.png", "score": 0.1, "figures": {"hue": 2.0}},
            {"picture": "styles/a.png", "score": 0.3, "figures": {"hue": 1.0}},
        ],
    }


def test_a_whole_picture_needs_no_merger() -> None:
    """Its plan names one that does not exist."""
    ones = torch.ones(1, *PHOTO)
    whole = FoundObject(None, object_plan(), Mask(ones, ones), ones, (0, 0, 60, 50))
    painting = picture(*PHOTO, seed=2)
    merged, facts = merge(whole, Crop.of(whole, picture(*PHOTO), [], None), painting)
    assert torch.equal(merged, painting)
    assert facts == {"crop": [0, 0, 60, 50], "worked_at": [50, 60]}


def test_run_json_tells_how_far_each_seam_shows(studio: Studio) -> None:
    """A flat photo of level 51 with a square repainted to 204 jumps by 153 where it did not."""
    save(studio.folder / "photo.png", np.full((HEIGHT, WIDTH, 3), 51, np.uint8))
    save(studio.folder / "0.png", rectangle((8, 6, 34, 26)))
    gray = {"use": "tint", "color": [0.8, 0.8, 0.8]}
    item = {"segmenter": {"use": "stencil", "path": "0.png"}, "losses": [gray]}
    # Long and in small steps, since Adam swings a little about its goal.
    well = {"use": "adam", "steps": 150, "scales": 1, "learning_rate": 0.02}
    studio.run(objects=[item], optimizer=well)
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text())
    seam = record["objects"]["object-0"]["seam"]
    assert seam["jump"] == pytest.approx(153, abs=2)
    assert seam["halo"] == 0
    studio.run(objects=[{**item, "merger": {"use": "feather", "width": 8}}], optimizer=well)
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text())
    blended = record["objects"]["object-0"]["seam"]
    assert blended["jump"] < seam["jump"]
    assert blended["halo"] > 0
    studio.run(objects=None, losses=[gray])  # a whole picture has no seam
    record = json.loads((studio.folder / "out.png.run" / "run.json").read_text())
    assert "seam" not in record["objects"]["picture"]
