"""The preset `paper` has the numbers of Zhao and Zhang."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from instyle_core.config.optimizer import Adam
from instyle_core.config.plan import Plan, load_plan, preset_text


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name in ("photo.jpg", "painting.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "spec.yaml").write_text(preset_text("paper"), encoding="utf-8")
    return load_plan(tmp_path / "spec.yaml")


def losses(plan: Plan) -> dict[str, dict[str, Any]]:
    (item,) = plan.objects
    return {use.plugin.name: use.dump() for use in item.losses}


def test_the_terms_and_their_weights(plan: Plan) -> None:
    weights = {name: dumped["weight"] for name, dumped in losses(plan).items()}
    assert weights == {"content": 1, "style": 1, "depth": 1e4, "laplacian": 1e2}
    reductions = {name: dumped["reduction"] for name, dumped in losses(plan).items()}
    # The authors' code divides the depth term, and none of the others, by H * W.
    assert reductions == dict.fromkeys(reductions, "sum") | {"depth": "mean"}


def test_what_is_moved_is_each_pixel(plan: Plan) -> None:
    optimizer = plan.spec.optimizer
    assert (optimizer.parametrization, optimizer.scales) == ("pixels", 1)
    assert plan.extractors["vgg19"].dump()["padding"] == "zeros"


def test_the_layers_of_vgg_19_are_read_after_the_relu(plan: Plan) -> None:
    terms = losses(plan)
    assert terms["content"]["layers"] == ["relu4_1"]
    assert terms["style"]["layers"] == [f"relu{block}_1" for block in range(1, 6)]
    assert terms["style"]["layer_weights"] == [1e8, 0.8e7, 0.5e6, 0.3e6, 0.1e6]
    assert terms["style"]["gram"] == "chw"


def test_pixels_are_normalized(plan: Plan) -> None:
    optimizer = plan.spec.optimizer
    assert isinstance(optimizer, Adam)
    assert optimizer.space == "imagenet"
    # One unit there is 0.225 of [0, 1], and 0.225 * 255 of the pixels that Oxford's network sees.
    terms, vgg19 = losses(plan), plan.extractors["vgg19"].dump()
    assert terms["laplacian"]["pixel_range"] == pytest.approx(1 / 0.225, rel=2e-3)
    assert vgg19["weights"] == "oxford"
    assert vgg19["scale"] == pytest.approx(1 / (0.225 * 255), rel=2e-3)


def test_the_laplacian_and_the_depth(plan: Plan) -> None:
    terms = losses(plan)
    assert (terms["laplacian"]["pools"], terms["laplacian"]["stride"]) == ([3], 1)
    assert terms["depth"]["normalize"] is False
    assert plan.extractors["midas"].dump()["model"] == "dpt-large"


def test_adam_and_its_steps(plan: Plan) -> None:
    optimizer = plan.spec.optimizer
    assert isinstance(optimizer, Adam)
    assert (optimizer.steps, optimizer.scales, optimizer.weight_decay) == (200, 1, 0.1)
    rates = [optimizer.learning_rate_at(step) for step in range(1, 201)]
    np.testing.assert_array_equal(rates, [1.0] * 180 + [0.1] * 20)
    assert plan.spec.size == 224


def test_segmentation_and_merging(plan: Plan) -> None:
    (item,) = plan.objects
    assert item.segmenter.plugin.name == "fcn8s"
    assert item.segmenter.refine is None
    assert item.merger.plugin.name == "hard"
    assert item.color.of == "style"
