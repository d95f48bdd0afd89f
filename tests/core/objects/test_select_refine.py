"""``refine:`` of a segmenter: what a spec says, and what a run does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from instyle_core.config.plan import Plan, load_plan
from instyle_core.errors import SpecError
from tests.core.helpers.studio import BOX, Studio, read, rectangle


def refiner(plan: Plan) -> dict[str, Any] | None:
    """What a plan has found for its object, as it would be written."""
    refine = plan.objects[0].segmenter.refine
    return refine.dump() if refine else None


@pytest.mark.parametrize(
    ("segmenter", "expected"),
    [
        ({"use": "stencil"}, None),
        ({"use": "stencil", "refine": None}, None),
        ({"use": "stencil", "refine": "shift"}, 2),
        ({"use": "stencil", "refine": {"use": "shift", "pixels": 5}}, 5),
        ({"use": "coarse"}, 2),
        ({"use": "coarse", "refine": {"use": "shift", "pixels": 1}}, 1),
        ({"use": "coarse", "refine": "none"}, None),
    ],
)
def test_what_a_spec_says(studio: Studio, segmenter: dict[str, Any], expected: int | None) -> None:
    plan = studio.plan(segmenter={**segmenter, "path": "mask.png"})
    found = refiner(plan)
    assert (found and found["pixels"]) == expected
    written = plan.dump()["segmenter"]["refine"]
    assert written == (found or "none")
    assert ("shift" in [use.plugin.name for use in plan.uses]) == (expected is not None)


@pytest.mark.parametrize(
    ("refine", "message"),
    [
        ("shaft", "segmenter.refine: no refiner is called 'shaft'; did you mean 'shift'?"),
        ({"pixels": 3}, "segmenter.refine: missing key 'use', the name of the refiner"),
        ({"use": "shift", "pixel": 3}, "segmenter.refine.pixel: unknown key 'pixel'"),
        ({"use": "shift", "pixels": "a"}, "segmenter.refine.pixels: should be a whole number"),
        (3, "segmenter.refine: should name the refiner, such as {use: NAME}; it is 3"),
        ({"use": "stencil"}, "segmenter.refine.use: no refiner is called 'stencil'"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(studio: Studio, refine: Any, message: str) -> None:
    spec = studio.spec(segmenter={"use": "stencil", "path": "mask.png", "refine": refine})
    with pytest.raises(SpecError) as caught:
        load_plan(spec)
    (problem,) = caught.value.problems
    assert problem.what.startswith(message)


def test_the_run_repaints_what_the_refiner_says(studio: Studio) -> None:
    refine = {"use": "shift", "pixels": 7}
    studio.run(segmenter={"use": "stencil", "path": "mask.png", "refine": refine})
    x0, y0, x1, y1 = BOX
    moved = rectangle((x0 + 7, y0, x1 + 7, y1)) > 0
    np.testing.assert_array_equal(read(studio.folder / "out.png.run/object-0/mask.png") > 0, moved)
    changed = (studio.output != studio.photo).any(axis=2)
    assert not changed[~moved].any()
    assert changed[moved].mean() > 0.9


def test_its_weights_are_those_of_the_run(studio: Studio) -> None:
    refine = {"use": "shift", "weights": True}
    plan = studio.plan(segmenter={"use": "stencil", "path": "mask.png", "refine": refine})
    assert [weights.name for weights in plan.pretrained] == ["toy-missing"]
