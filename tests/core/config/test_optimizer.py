"""The settings of the optimizers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from instyle_core.config.optimizer import LBFGS, Adam, Drop
from instyle_core.interfaces.params import Params
from tests.core.helpers.fake_plugins import Checker
from tests.core.helpers.specs import SPEC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Adam()),
        ("{steps: 1e2}", Adam(steps=100)),
        ("{use: adam, scales: 3}", Adam(scales=3)),
        ("{use: lbfgs, history: 3}", LBFGS(history=3)),
    ],
)
def test_optimizers(check: Checker, text: str, expected: Adam | LBFGS) -> None:
    assert check.plan(f"{SPEC}optimizer: {text}").spec.optimizer == expected


def test_the_learning_rate_falls_after_the_step_that_is_named() -> None:
    adam = Adam(steps=5, learning_rate=0.5, drop=Drop(after=3, to=0.125), decay=0)
    assert [adam.learning_rate_at(step) for step in range(1, 6)] == [0.5, 0.5, 0.5, 0.125, 0.125]
    constant = Adam(learning_rate=0.5, decay=0)
    assert [constant.learning_rate_at(step) for step in (1, 200)] == [0.5, 0.5]


def test_the_learning_rate_falls_to_0_over_the_last_steps() -> None:
    adam = Adam(steps=10, learning_rate=0.5, decay=0.4)
    rates = [adam.learning_rate_at(step) for step in range(1, 12)]
    assert rates == pytest.approx([0.5] * 7 + [0.375, 0.25, 0.125, 0])
    falling = Adam(steps=4, learning_rate=1, drop=Drop(after=2, to=0.5), decay=1)
    rates = [falling.learning_rate_at(step) for step in range(1, 5)]
    assert rates == pytest.approx([1, 0.75, 0.25, 0.125])


def test_the_first_trial_of_lbfgs_is_always_as_long() -> None:
    assert [LBFGS(learning_rate=2).learning_rate_at(step) for step in (1, 50, 100)] == [2, 2, 2]


@pytest.mark.parametrize("model", [Adam, LBFGS])
@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"steps": 0}, "should be at least 1; it is 0"),
        ({"steps": 100_001}, "should be at most 100000; it is 100001"),
        ({"tolerance": -0.1}, "should be at least 0; it is -0.1"),
        ({"tolerance": 1}, "should be below 1; it is 1"),
        ({"learning_rate": 0}, "should be above 0; it is 0"),
        ({"scales": True}, "should be 'auto' or a whole number from 1 on; it is true"),
        ({"scales": 1.5}, "should be 'auto' or a whole number from 1 on; it is 1.5"),
    ],
)
def test_bounds_that_both_have(model: type[Params], given: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    assert [error["msg"] for error in caught.value.errors()] == [what]


def test_only_adam_can_compute_in_the_space_of_imagenet() -> None:
    assert Adam(space="imagenet").space == "imagenet"
    assert LBFGS().space == "rgb"
    with pytest.raises(ValidationError, match="unknown key 'space'"):
        LBFGS.model_validate({"space": "rgb"})
