"""The settings of the optimizers."""

from __future__ import annotations

import pytest

from instyle_core.config.optimizer import LBFGS, Adam
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
