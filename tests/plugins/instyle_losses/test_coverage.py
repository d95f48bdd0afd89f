"""The weights of cells, on processors and as GPUs have them, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from instyle_losses import coverage
from instyle_losses.coverage import Coverage

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)
weights = st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32, allow_subnormal=False)
masks = shapes.flatmap(lambda shape: hnp.arrays(np.float32, (1, 1, *shape), elements=weights))
split = st.booleans()


def made(mask: np.ndarray, split: bool) -> Coverage:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coverage, "_gains_by_indices", lambda mask: split)
        return Coverage(torch.from_numpy(mask))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mask=masks, split=split)
def test_rows_are_multiplied_by_the_weights_of_their_cells(mask: np.ndarray, split: bool) -> None:
    rows = np.random.default_rng(0).normal(size=(mask.size, 3))
    weighed = torch.from_numpy(rows.copy())
    made(mask, split).weigh_(weighed)
    np.testing.assert_allclose(weighed.numpy(), rows * mask.reshape(-1, 1), rtol=1e-6)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(mask=masks, split=split)
def test_the_cells_that_count_add_up_to_the_mask(mask: np.ndarray, split: bool) -> None:
    """Each of them once, and none that is not covered at all."""
    whole = made(mask, split)
    total = np.zeros(mask.size, np.float32)
    for numbers, given_weights in whole.covered():
        chosen = np.arange(mask.size) if numbers is None else numbers.numpy()
        total[chosen] += 1 if given_weights is None else given_weights.numpy()[:, 0]
        assert not split or (mask.ravel()[chosen] > 0).all()
    np.testing.assert_array_equal(total, mask.ravel())
    assert float(whole.cells) == pytest.approx(float(mask.sum()), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_keep_their_precision(dtype: torch.dtype) -> None:
    rows = torch.ones(4, 2, dtype=dtype)
    Coverage(torch.tensor([[[[0.0, 0.25], [0.5, 1.0]]]])).weigh_(rows)
    expected: Tensor = torch.tensor([[0.0], [0.25], [0.5], [1.0]]).expand(4, 2)
    assert rows.dtype == dtype
    assert torch.equal(rows.float(), expected)
