"""What runs on a `Studio` are expected to make of its photo."""

from __future__ import annotations

from typing import Any

import numpy as np

RED, BLUE = (255, 0, 0), (0, 0, 255)

#: Enough for every pixel to arrive at the color of `tint`.
WELL = {
    "use": "adam",
    "parametrization": "pixels",
    "steps": 60,
    "scales": 1,
    "learning_rate": 0.05,
}


def tint(color: tuple[int, int, int]) -> dict[str, Any]:
    return {"use": "tint", "color": [value / 255 for value in color]}


def inside(mask: np.ndarray) -> np.ndarray:
    return mask > 127


def assert_repainted(
    output: np.ndarray, photo: np.ndarray, where: np.ndarray, color: Any, tolerance: float = 3
) -> None:
    """The pixels have the color, nearly; all others are the photo's, exactly."""
    assert output.shape == photo.shape
    assert output.dtype == photo.dtype
    np.testing.assert_array_equal(output[~where], photo[~where])
    np.testing.assert_allclose(
        output[where].astype(float), np.broadcast_to(color, output[where].shape), atol=tolerance
    )
