"""Gram matrices against explicit sums, in every precision and layout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from instyle_losses import coverage, gram
from instyle_losses.coverage import Coverage
from instyle_losses.gram import gram_matrix, weighted_gram

GRAMS = ("mean", "chw", "sum")
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def masks(height: int, width: int) -> dict[str, Tensor]:
    """Float32, as the core makes them."""
    generator = torch.Generator().manual_seed(9)
    soft = torch.rand(1, 1, height, width, generator=generator)
    return {"everywhere": torch.ones_like(soft), "decided": (soft > 0.5).float(), "soft": soft}


def in_float64(maps: Tensor, mask: Tensor) -> Tensor:
    maps = maps.double()
    return torch.einsum("nchw,nhw,ndhw->ncd", maps, mask[:, 0].double(), maps)


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual.double() - expected).norm() / expected.norm())


def test_two_cells_of_two_features_by_pencil() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    mask = torch.tensor([[[[1.0, 0.5]]]])
    raw = torch.tensor([[[1 + 0.5 * 4, 3 - 0.5 * 2], [3 - 0.5 * 2, 9 + 0.5]]])
    torch.testing.assert_close(gram_matrix(maps, mask, "sum"), raw)
    torch.testing.assert_close(gram_matrix(maps, mask, "mean"), raw / 1.5)
    torch.testing.assert_close(gram_matrix(maps, mask, "chw"), raw / 3)
    assert not gram_matrix(maps, torch.zeros_like(mask)).any()


@pytest.mark.parametrize("kind", GRAMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_no_mask_is_a_mask_of_ones(dtype: torch.dtype, kind: str) -> None:
    maps = random(1, 5, 4, 7).to(dtype)
    ones = torch.ones(1, 1, 4, 7)
    torch.testing.assert_close(gram_matrix(maps, None, kind), gram_matrix(maps, ones, kind))
    assert (
        float(weighted_gram(maps, None)[1]) == float(weighted_gram(maps, Coverage(ones))[1]) == 28
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("masked", [True, False])
def test_the_gradient(layout: torch.memory_format, masked: bool) -> None:
    maps = random(1, 5, 4, 7).contiguous(memory_format=layout).requires_grad_()
    mask = masks(4, 7)["soft"].double() if masked else None
    assert torch.autograd.gradcheck(lambda m: gram_matrix(m, mask, "chw"), maps)
    # Not symmetric, as the gradient of a sum of squares would be.
    outer = random(1, 5, 5, seed=1)
    (gradient,) = torch.autograd.grad(gram_matrix(maps, mask, "sum"), maps, outer)
    plain = in_float64(maps, torch.ones(1, 1, 4, 7) if mask is None else mask)
    (expected,) = torch.autograd.grad(plain, maps, outer)
    torch.testing.assert_close(gradient, expected)
    assert gradient.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_of_a_map(layout: torch.memory_format) -> None:
    """Of a tile, which lies in memory with gaps."""
    whole = random(1, 5, 9, 11).contiguous(memory_format=layout).requires_grad_()
    part = whole[..., 2:6, 3:10]
    mask = masks(4, 7)["soft"].double()
    outer = random(1, 5, 5, seed=1)
    values = weighted_gram(part, Coverage(mask))[0], in_float64(part, mask)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(v, whole, outer)[0] for v in values))


@pytest.mark.parametrize("cells", [1, 5, 28, 29])
@pytest.mark.parametrize("kind", ["everywhere", "decided", "soft"])
def test_cells_are_added_up_in_portions(
    cells: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gram, "CHUNK", 5 * cells)
    maps, mask = random(1, 5, 4, 7), masks(4, 7)[kind].double()
    expected = in_float64(maps, mask)
    torch.testing.assert_close(weighted_gram(maps, Coverage(mask))[0], expected)


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts their number back, whatever a test makes of it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_cores_share_the_cells(dtype: torch.dtype, masked: bool, count: int) -> None:
    """21 x 19 cells, which neither two nor three cores share without a rest."""
    torch.set_num_threads(count)
    maps, mask = random(1, 5, 19, 21).to(dtype), masks(19, 21)["decided"]
    actual, _ = weighted_gram(maps, Coverage(mask) if masked else None)
    expected = in_float64(maps, mask if masked else torch.ones_like(mask))
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["everywhere", "nowhere", "decided", "soft"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_as_gpus_have_them(
    layout: torch.memory_format, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, all cells are multiplied by their weights; here, few are."""
    maps = random(1, 5, 4, 7).contiguous(memory_format=layout).requires_grad_()
    mask = {**masks(4, 7), "nowhere": torch.zeros(1, 1, 4, 7)}[kind].double()
    outer = random(1, 5, 5, seed=1)
    each = []
    for numbered in (True, False):
        monkeypatch.setattr(coverage, "_gains_by_indices", lambda mask, numbered=numbered: numbered)
        product, cells = weighted_gram(maps, Coverage(mask))
        assert float(cells) == float(mask.sum())
        each.append((product, *torch.autograd.grad(product, maps, outer)))
    torch.testing.assert_close(*each)
    torch.testing.assert_close(each[0][0], in_float64(maps, mask))


# --- low precision --------------------------------------------------------------------------------


# Measured: 2e-8 to 1e-6 for masks of 0 and 1, from 6x6 to 600x600 cells, where nothing but float32
# sums are rounded. Soft masks make factors that bfloat16 rounds: up to 1e-3, and by theory never
# above half a step, 2**-9, for maps that are not negative.
@pytest.mark.parametrize(
    ("kind", "bound"), [("everywhere", 1e-5), ("decided", 1e-5), ("soft", 2e-3)]
)
@pytest.mark.parametrize("shape", [(64, 40, 30), (128, 6, 5), (8, 90, 100)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16(
    layout: torch.memory_format, shape: tuple[int, int, int], kind: str, bound: float
) -> None:
    maps = random(1, *shape).relu().bfloat16().contiguous(memory_format=layout).requires_grad_()
    mask = masks(*shape[1:])[kind]
    actual, expected = weighted_gram(maps, Coverage(mask))[0], in_float64(maps, mask)
    assert actual.dtype == torch.float32
    assert relative(actual.detach(), expected.detach()) < bound
    # Measured: 2e-3 to 4e-3, as three factors and the result are rounded.
    outer = random(1, shape[0], shape[0], seed=1).float()
    (gradient,) = torch.autograd.grad(actual, maps, outer)
    assert gradient.dtype == torch.bfloat16
    assert gradient.is_contiguous(memory_format=layout)
    exact = maps.detach().double().requires_grad_()
    (slope,) = torch.autograd.grad(in_float64(exact, mask), exact, outer.double())
    assert relative(gradient, slope) < 2**-7


def test_float16() -> None:
    """Summed in float32: these sums of squares are beyond 65504, where float16 ends."""
    maps = (40 * random(1, 6, 20, 30).relu()).half().requires_grad_()
    mask = masks(20, 30)["soft"]
    actual, expected = weighted_gram(maps, Coverage(mask))[0], in_float64(maps, mask)
    assert expected.max() > 1e5
    assert relative(actual.detach(), expected.detach()) < 1e-6
    outer = 1e-4 * random(1, 6, 6, seed=1).float()
    (gradient,) = torch.autograd.grad(actual, maps, outer)
    exact = maps.detach().double().requires_grad_()
    (slope,) = torch.autograd.grad(in_float64(exact, mask), exact, outer.double())
    assert relative(gradient, slope) < 2**-10


@pytest.fixture
def precision() -> Iterator[None]:
    """Puts it back, whatever a test does to it."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize("before", ["highest", "high", "medium"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_precision_of_other_products_stays(dtype: torch.dtype, before: str) -> None:
    torch.set_float32_matmul_precision(before)
    maps = random(1, 5, 4, 7).to(dtype).requires_grad_()
    gram_matrix(maps, masks(4, 7)["soft"]).sum().backward()
    assert torch.get_float32_matmul_precision() == before
    with pytest.raises(IndexError):
        gram_matrix(maps, torch.ones(1, 2, 4, 7))
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.usefixtures("precision")
def test_float32_is_not_rounded() -> None:
    """Products of float32 maps are as exact as torch is told to make them."""
    torch.set_float32_matmul_precision("highest")
    maps, mask = random(1, 64, 40, 30).float(), masks(40, 30)["soft"]
    assert relative(weighted_gram(maps, Coverage(mask))[0], in_float64(maps, mask)) < 1e-6
