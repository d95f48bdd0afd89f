"""The random state: what is drawn after it is restored is what was drawn after it was taken."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instyle_core.optimization.random_state import generator_for, random_state, restore_random_state
from tests.core.helpers.pictures import FEW


@FEW
@given(before=st.integers(0, 700), between=st.integers(0, 700))
def test_the_same_numbers_are_drawn_again(before: int, between: int) -> None:
    """However many were drawn: torch's generator makes 624 at a time."""
    torch.manual_seed(3)
    torch.rand(before)
    state = random_state()
    expected = torch.randn(20), torch.rand(20), torch.randperm(20)
    torch.rand(between)
    for _ in range(2):
        restore_random_state(state)
        found = torch.randn(20), torch.rand(20), torch.randperm(20)
        assert all(map(torch.equal, found, expected))


def test_taking_it_draws_nothing_and_does_not_start_cuda() -> None:
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    state = random_state()
    assert torch.equal(torch.rand(5), expected)
    assert len(state) == 1
    assert not torch.cuda.is_initialized()


def test_once_cuda_is_in_use_its_generators_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for two GPUs."""
    generators = [torch.tensor([1, 2], dtype=torch.uint8), torch.tensor([3, 4], dtype=torch.uint8)]
    restored: list[torch.Tensor] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: generators)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.extend)
    state = random_state()
    assert len(state) == 3
    restore_random_state(state)
    assert [generator.tolist() for generator in restored] == [[1, 2], [3, 4]]


def test_a_loss_s_generator_is_part_of_it() -> None:
    generator = generator_for(torch.device("cpu"))
    torch.manual_seed(3)
    state = random_state()
    expected = torch.rand(5, generator=generator)
    restore_random_state(state)
    assert torch.equal(torch.rand(5, generator=generator), expected)
