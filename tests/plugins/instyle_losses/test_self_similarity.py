"""The self-similarity loss against a double loop in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from instyle_core import Targets, testing
from instyle_losses.params import SelfSimilarityParams
from instyle_losses.self_similarity import SelfSimilarityLoss

LAYERS = ("a", "b")


@pytest.mark.parametrize("layers", [("a",), LAYERS])
def test_contract(layers: tuple[str, ...]) -> None:
    testing.check_loss(SelfSimilarityLoss, SelfSimilarityParams(layers=layers))


def distances(maps: np.ndarray, cells: list[tuple[int, int]]) -> np.ndarray:
    """Cosine distances of the vectors at some cells, each column divided by its sum."""
    matrix = np.zeros((len(cells), len(cells)))
    for i, one in enumerate(cells):
        for j, other in enumerate(cells):
            a, b = maps[(slice(None), *one)], maps[(slice(None), *other)]
            matrix[i, j] = 1 - a @ b / np.sqrt((a @ a) * (b @ b))
    return matrix / matrix.sum(axis=0)


def by_hand(params: SelfSimilarityParams, photo: Tensor, picture: Tensor, mask: Tensor) -> float:
    errors = []
    for layer in params.layers:
        ours, theirs = (
            testing.view(image, mask, params).features("vgg19", layer)[0].numpy()
            for image in (picture, photo)
        )
        cells = [
            (y, x)
            for y in range(ours.shape[1])
            for x in range(ours.shape[2])
            if mask[0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].numpy().mean() >= 0.5
        ]
        change = np.abs(distances(ours, cells) - distances(theirs, cells))
        errors.append(change.sum(axis=0).mean())
    return float(np.mean(errors))


def test_value(evaluate, photo, picture, mask) -> None:
    params = SelfSimilarityParams(layers=LAYERS)
    value = evaluate(SelfSimilarityLoss, params, photo, picture, mask)
    assert value == pytest.approx(by_hand(params, photo, picture, mask), rel=1e-6)


def test_of_some_cells_it_is_near_that_of_all(evaluate, photo, picture, mask) -> None:
    ones = torch.ones_like(mask)
    whole = by_hand(SelfSimilarityParams(layers=LAYERS), photo, picture, ones)
    params = SelfSimilarityParams(layers=LAYERS, samples=32)
    values = [evaluate(SelfSimilarityLoss, params, photo, picture, ones) for _ in range(8)]
    assert len(set(values)) == 8
    assert np.mean(values) == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize("samples", [16, 512])
def test_how_bright_it_is_does_not_matter(evaluate, photo, picture, mask, samples) -> None:
    """The features of `testing.view` are squares: of half the brightness, they are a quarter."""
    params = SelfSimilarityParams(layers=LAYERS, samples=samples)
    assert evaluate(SelfSimilarityLoss, params, photo, photo / 2, mask) < 1e-9
    assert evaluate(SelfSimilarityLoss, params, photo, picture, mask) > 0.01


def test_a_flat_photo_asks_for_nothing(photo, mask) -> None:
    """Of rounding errors in float32, no one is like or unlike another."""
    params, ones = SelfSimilarityParams(layers=LAYERS), torch.ones(1, 24, 32)
    flat, other = (
        torch.tensor(color)[:, None, None].repeat(1, 24, 32)
        for color in ([0.31, 0.52, 0.13], [0.77, 0.12, 0.43])
    )
    loss = SelfSimilarityLoss(params)
    loss.prepare(Targets(testing.view(flat, ones, params), (), ()))
    other.requires_grad_()
    value = loss(testing.view(other, ones, params))
    assert float(value.detach()) < 0.01
    assert torch.autograd.grad(value, other)[0].isfinite().all()


def test_no_object_no_loss(photo, picture, mask) -> None:
    params, nothing = SelfSimilarityParams(layers=LAYERS), torch.zeros_like(mask)
    loss = SelfSimilarityLoss(params)
    loss.prepare(Targets(testing.view(photo, nothing, params), (), ()))
    image = picture.clone().requires_grad_()
    value = loss(testing.view(image, nothing, params))
    assert float(value.detach()) == 0
    assert not torch.autograd.grad(value, image)[0].any()


def test_an_object_of_one_cell_is_like_itself(evaluate, photo, picture, mask) -> None:
    cell = torch.zeros_like(mask)
    cell[0, 4:6, 8:10] = 1
    params = SelfSimilarityParams(layers=LAYERS)
    assert evaluate(SelfSimilarityLoss, params, photo, picture, cell) < 1e-9


def test_tiles_give_the_same(in_tiles) -> None:
    """With fewer samples than there are cells, of which some are kept."""
    params = SelfSimilarityParams(layers=("relu2_1", "relu3_1"), samples=50)
    (value, gradient), (whole, whole_gradient) = in_tiles(SelfSimilarityLoss, params)
    assert whole > 0
    assert value == pytest.approx(whole, rel=1e-9)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-6, atol=1e-9)
    assert whole_gradient.any()
