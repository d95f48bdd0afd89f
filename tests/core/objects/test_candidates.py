"""The mask of one class out of the probabilities of several."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.objects.candidates import class_mask, most_probable


def probabilities(count: int, seed: int) -> torch.Tensor:
    logits = 3 * torch.randn(count, 5, 7, generator=torch.Generator().manual_seed(seed))
    return logits.softmax(dim=0)


@given(count=st.integers(2, 6), seed=st.integers(0, 999))
def test_against_the_definition(count: int, seed: int) -> None:
    given = probabilities(count, seed)
    for index in range(count):
        mask = class_mask(given, index)
        for y in range(5):
            for x in range(7):
                values = given[:, y, x].double().tolist()
                own = values.pop(index)
                expected = own / (own + max(values))
                assert abs(float(mask.probability[0, y, x]) - expected) < 1e-6
                assert float(mask.decision[0, y, x]) == (own > max(values))


def test_of_two_classes_it_is_the_probability_itself() -> None:
    given = probabilities(2, 0)
    np.testing.assert_allclose(class_mask(given, 1).probability[0], given[1], rtol=1e-6)


def test_certainty_and_no_chance_at_all() -> None:
    given = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    assert [float(class_mask(given, k).probability) for k in range(3)] == [1, 0, 0]
    assert [float(class_mask(given, k).decision) for k in range(3)] == [1, 0, 0]
    assert float(class_mask(given[1:], 0).probability) == 0


@given(count=st.integers(1, 6), seed=st.integers(0, 999), levels=st.integers(1, 9))
def test_the_most_probable_class_against_numpy(count: int, seed: int, levels: int) -> None:
    """NumPy takes the first of equal ones, too; with few levels, there are many."""
    given = (probabilities(count, seed) * levels).round()
    assert np.array_equal(most_probable(given), given.numpy().argmax(axis=0))
