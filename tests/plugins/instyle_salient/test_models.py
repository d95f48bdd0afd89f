"""The published networks: each has the hash of one file, and its authors' preprocessing."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from instyle_salient.models import MODELS, Name


@pytest.mark.parametrize("name", get_args(Name))
def test_published_networks(name: Name) -> None:
    model = MODELS[name]
    assert model.weights.name == name
    assert re.fullmatch("[0-9a-f]{64}", model.weights.sha256)
    assert str(model.weights.url).endswith(f"/v0.0.0/{model.weights.file}")
    assert model.weights.license in ("Apache-2.0", "MIT")
    assert model.weights.summary


def test_every_network_is_of_its_own() -> None:
    assert tuple(MODELS) == get_args(Name)
    assert len({model.weights.sha256 for model in MODELS.values()}) == len(MODELS)


def test_preprocessing() -> None:
    """As the authors' own programs have it."""
    rows = {
        name: (m.size, round(sum(m.mean), 3), round(sum(m.std), 3), m.brightest, m.is_logit)
        for name, m in MODELS.items()
    }
    assert rows == {
        "u2netp": (320, 1.347, 0.678, True, False),
        "isnet-general-use": (1024, 1.5, 3.0, False, False),
        "birefnet-general-lite": (1024, 1.347, 0.678, False, True),
    }
