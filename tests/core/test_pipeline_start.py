"""What a run starts from, and the style pictures that it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from instyle_core.events import Step
from tests.core.helpers.repainted import WELL, assert_repainted, inside
from tests.core.helpers.studio import (
    BOX,
    Studio,
    noise,
    rectangle,
    save,
)

#: As `WELL`, for a color that is not at the limits, where Adam swings a little.
EXACTLY = {**WELL, "steps": 150, "learning_rate": 0.02}

# --- styles and starts ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, [3, 1]])
def test_several_style_pictures(studio: Studio, weights: list[int] | None) -> None:
    first, second = np.array([240, 40, 0]), np.array([0, 80, 160])
    save(studio.folder / "a.png", np.full((50, 30, 3), first, np.uint8))
    save(studio.folder / "b.png", np.full((20, 90, 3), second, np.uint8))
    style: dict[str, Any] = {"images": ["a.png", "b.png"], "scale": 0.7}
    share = 0.5
    if weights:
        style["weights"] = weights
        share = 0.75
    studio.run(style=style, losses=[{"use": "inks"}], optimizer=EXACTLY)
    expected = share * first + (1 - share) * second
    assert_repainted(studio.output, studio.photo, inside(rectangle(BOX)), expected)


def first_picture(studio: Studio, **changes: Any) -> torch.Tensor:
    """The crop after one step that does nothing."""
    steps = [
        event
        for event in studio.events(losses=[{"use": "fault", "at": 99}], **changes)
        if isinstance(event, Step)
    ]
    return steps[0].picture()


def test_it_starts_from_the_photo(studio: Studio) -> None:
    # 128 pixels, so that nothing is resized.
    save(studio.folder / "photo.png", noise(128, 128))
    start = first_picture(studio, objects=None, size=128)
    assert torch.equal(start, torch.from_numpy(noise(128, 128)).permute(2, 0, 1).float() / 255)


def test_it_starts_from_noise_of_the_seed(studio: Studio) -> None:
    save(studio.folder / "photo.png", np.full((128, 128, 3), 255, np.uint8))
    options: dict[str, Any] = {"objects": None, "size": 128, "start": "noise"}
    start = first_picture(studio, **options)
    # Uniform in [0, 1], each pixel and channel on its own.
    assert abs(float(start.mean()) - 0.5) < 0.01
    assert abs(float(start.std()) - 12**-0.5) < 0.01
    flat = start.flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.05
    assert torch.equal(start, first_picture(studio, **options))
    assert not torch.equal(start, first_picture(studio, **options, seed=1))


def test_noise_stays_within_the_object(studio: Studio) -> None:
    studio.run(start="noise", losses=[{"use": "fault", "at": 99}])
    changed = (studio.output != studio.photo).any(axis=2)
    assert not changed[~inside(rectangle(BOX))].any()
    assert changed[inside(rectangle(BOX))].mean() > 0.9


def test_it_starts_from_a_file_fitted_to_the_photo(studio: Studio) -> None:
    save(studio.folder / "photo.png", noise(128, 128))
    other = np.zeros((64, 64, 3), np.uint8)
    other[:32] = (255, 128, 0)
    save(studio.folder / "other.png", other)
    start = first_picture(studio, objects=None, size=128, start="other.png")
    assert start.shape == (3, 128, 128)
    assert torch.allclose(start[:, :56], torch.tensor([1, 128 / 255, 0])[:, None, None], atol=1e-3)
    assert torch.allclose(start[:, 72:], torch.zeros(1), atol=1e-3)
